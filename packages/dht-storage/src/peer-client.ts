import type { Cid, PeerId } from "@chorus/kernel";
import { sha256Hex, type Block } from "./blob-envelope.ts";
import { converse, type Channel } from "./channel.ts";
import { RefusedError } from "./errors.ts";
import type { Parts } from "./parts.ts";
import type { RefusalCode } from "./wire.ts";

/** Hashes asked for at once: a request is answered by as many frames, one after the other. */
const WANT_AT_ONCE = 16;

/** How a peer answered an offer. */
export type Answer =
  | { readonly taken: true }
  | { readonly taken: false; readonly code: RefusalCode; readonly heads: readonly Uint8Array[] };

/** One peer, seen as a storer. Every call is a conversation of its own and may fail with any error. */
export interface PeerClient {
  /** The envelopes of complete copies, unverified. */
  held(addr: Cid): Promise<readonly Uint8Array[]>;
  /** Brings blocks, each with the right hash, in order; ends early when the peer has no more. */
  fetch(blocks: readonly Block[], onBlock: (block: Block, bytes: Uint8Array) => Promise<void>): Promise<void>;
  /** Offers a blob; `read` is asked for the blocks that the peer lacks. */
  offer(envelope: Uint8Array, read: (hash: string) => Promise<Uint8Array>): Promise<Answer>;
  /** The highest heads of a lane, unverified. */
  heads(lane: string): Promise<readonly Uint8Array[]>;
  offerHead(head: Uint8Array): Promise<Answer>;
}

export function peerClient(parts: Parts, peer: PeerId, signal: AbortSignal): PeerClient {
  const { streams, clock, peerTimeoutMs: timeoutMs, copies } = parts;
  const talk = <T>(words: (channel: Channel) => Promise<T>): Promise<T> =>
    converse({ streams, peer }, { clock, timeoutMs, signal }, async (channel) => {
      const result = await words(channel);
      copies.met(peer);
      return result;
    });
  return {
    held: (addr) =>
      talk(async (channel) => {
        await channel.send({ t: "have", addr });
        return (await channel.expect("held")).envelopes;
      }),
    fetch: (blocks, onBlock) =>
      talk(async (channel) => {
        for (let i = 0; i < blocks.length; i += WANT_AT_ONCE)
          if (!(await fetchSome(channel, blocks.slice(i, i + WANT_AT_ONCE), onBlock))) return;
      }),
    offer: (envelope, read) =>
      talk(async (channel) => {
        await channel.send({ t: "put", envelope });
        const first = await channel.expect("need", "ack", "refused");
        if (first.t === "need")
          for (const hash of first.hashes) await channel.send(await read(Buffer.from(hash).toString("hex")));
        return answerOf(first.t === "need" ? await channel.expect("ack", "refused") : first);
      }),
    heads: (lane) =>
      talk(async (channel) => {
        await channel.send({ t: "head", lane });
        return (await channel.expect("heads")).heads;
      }),
    offerHead: (head) =>
      talk(async (channel) => {
        await channel.send({ t: "put-head", head });
        return answerOf(await channel.expect("ack", "refused"));
      }),
  };
}

/** @returns false when the peer lacks one of the blocks; those that follow are not read then */
async function fetchSome(
  channel: Channel,
  blocks: readonly Block[],
  onBlock: (block: Block, bytes: Uint8Array) => Promise<void>,
): Promise<boolean> {
  await channel.send({ t: "want", hashes: blocks.map(({ hash }) => Buffer.from(hash, "hex")) });
  for (const block of blocks) {
    const frame = await channel.next();
    if (frame === undefined) throw new RefusedError("the peer ended the conversation");
    if (!(frame instanceof Uint8Array)) {
      if (frame.t === "gone") return false;
      throw new RefusedError("the message is out of turn");
    }
    if (frame.length !== block.size || sha256Hex(frame) !== block.hash)
      throw new RefusedError("the block is not the one that was asked for");
    await onBlock(block, frame);
  }
  return true;
}

function answerOf(
  message: { t: "ack" } | { t: "refused"; code: RefusalCode; heads: readonly Uint8Array[] },
): Answer {
  return message.t === "ack" ? { taken: true } : { taken: false, code: message.code, heads: message.heads };
}
