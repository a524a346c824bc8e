import {
  type Canonical,
  decodeCanonical,
  encodeCanonical,
  InvalidInputError,
  parsePeerId,
  type Streams,
} from "@chorus/kernel";
import { multiaddr } from "@multiformats/multiaddr";
import type { Candidate } from "./address-book.ts";
import { INTRODUCTIONS_PROTOCOL } from "./names.ts";

const MAX_PEERS = 256;
const MAX_ADDRESSES = 8;
const MAX_BYTES = 262_144;

/** Tells every member that asks whom this node is connected to, and where they listen. */
export function serveIntroductions(streams: Streams, known: () => readonly Candidate[]): Disposable {
  return streams.handle(INTRODUCTIONS_PROTOCOL, async (stream) => {
    await stream.send(encodeIntroductions(known()));
    await stream.close();
  });
}

/** Asks one member whom it is connected to. */
export async function askIntroductions(
  streams: Streams,
  peer: Candidate["peer"],
  signal: AbortSignal,
): Promise<readonly Candidate[]> {
  const stream = await streams.open(peer, INTRODUCTIONS_PROTOCOL, { signal });
  try {
    for await (const frame of stream.frames) return parseIntroductions(frame);
    return [];
  } finally {
    await stream.close();
  }
}

export function encodeIntroductions(candidates: readonly Candidate[]): Uint8Array {
  return encodeCanonical(
    candidates.slice(0, MAX_PEERS).map(({ peer, addresses }) => [peer, addresses.slice(0, MAX_ADDRESSES)]),
  );
}

/** @throws InvalidInputError */
export function parseIntroductions(frame: Uint8Array): readonly Candidate[] {
  const value = decodeCanonical(frame, { maxBytes: MAX_BYTES, maxDepth: 3 });
  return list(value, MAX_PEERS).map((entry) => {
    const [peer, addresses] = list(entry, 2);
    return { peer: parsePeerId(peer), addresses: list(addresses, MAX_ADDRESSES).map(parseAddress) };
  });
}

function list(value: Canonical | undefined, most: number): readonly Canonical[] {
  if (!Array.isArray(value) || value.length > most)
    throw new InvalidInputError("introductions", `must be lists of at most ${most}`);
  return value;
}

function parseAddress(value: Canonical): string {
  if (typeof value !== "string" || value.length > 256)
    throw new InvalidInputError("introductions", "must hold addresses");
  try {
    return multiaddr(value).toString();
  } catch (cause) {
    throw new InvalidInputError("introductions", "must hold addresses", cause);
  }
}
