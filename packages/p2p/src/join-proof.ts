import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { PeerId } from "@chorus/kernel";
import { JoinRefusedError } from "./errors.ts";
import { deriveKey } from "./names.ts";

/** The secured channel between two peers, before anything else speaks on it. */
export interface JoinChannel {
  /** Exactly `length` bytes; rejects when the channel ends first. */
  read(length: number): Promise<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
}

/** One run of the proof, seen from one side. */
export interface JoinRun {
  readonly key: Uint8Array;
  readonly self: PeerId;
  /** As the secured channel has authenticated it. */
  readonly remote: PeerId;
  /** True for the side that dialled. */
  readonly initiator: boolean;
}

interface Transcript extends JoinRun {
  readonly nonces: { readonly initiator: Uint8Array; readonly responder: Uint8Array };
}

const VERSION = 1;
const NONCE_BYTES = 32;
const PROOF_BYTES = 32;
const DOMAIN = "chorus/p2p/join/1";
const FROM_INITIATOR = 1;
const FROM_RESPONDER = 2;

/** The key that members prove to know; it is never sent, and no other purpose uses it. */
export function joinKey(clusterSecret: Uint8Array, cluster: string): Uint8Array {
  return deriveKey(clusterSecret, `${DOMAIN} ${cluster}`);
}

/**
 * Both sides prove that they know the join key; DESIGN.md draws the messages. Resolves when the other side
 * has proved it to us (and, on the initiator's side, has accepted ours).
 * @throws JoinRefusedError
 */
export async function proveMembership(channel: JoinChannel, run: JoinRun): Promise<void> {
  const own = randomBytes(NONCE_BYTES);
  await channel.write(Buffer.concat([Uint8Array.of(VERSION), own]));
  const theirs = await readHello(channel);
  const nonces = run.initiator
    ? { initiator: own, responder: theirs }
    : { initiator: theirs, responder: own };
  const transcript = { ...run, nonces };
  if (run.initiator) {
    await channel.write(proof(transcript, FROM_INITIATOR));
    await verify(channel, transcript, FROM_RESPONDER);
  } else {
    // The side that was dialled proves itself only to a member.
    await verify(channel, transcript, FROM_INITIATOR);
    await channel.write(proof(transcript, FROM_RESPONDER));
  }
}

async function readHello(channel: JoinChannel): Promise<Uint8Array> {
  const hello = await channel.read(1 + NONCE_BYTES);
  if (hello[0] !== VERSION) throw new JoinRefusedError("the other side does not speak this join protocol");
  return hello.subarray(1);
}

async function verify(channel: JoinChannel, transcript: Transcript, from: number): Promise<void> {
  const theirs = await channel.read(PROOF_BYTES);
  if (!timingSafeEqual(theirs, proof(transcript, from)))
    throw new JoinRefusedError("the other side does not know the cluster secret");
}

/** Every part has a fixed length (a peer's name has 62 characters), so no two transcripts read the same. */
function proof({ key, self, remote, initiator, nonces }: Transcript, from: number): Uint8Array {
  return createHmac("sha256", key)
    .update(DOMAIN)
    .update(Uint8Array.of(from))
    .update(initiator ? self : remote)
    .update(initiator ? remote : self)
    .update(nonces.initiator)
    .update(nonces.responder)
    .digest();
}
