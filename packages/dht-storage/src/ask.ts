import type { PeerId } from "@chorus/kernel";
import type { Parts } from "./parts.ts";
import { report } from "./parts.ts";
import { errorCode } from "@chorus/kernel";
import { peerClient, type PeerClient } from "./peer-client.ts";

export interface Question<T> {
  readonly ask: (client: PeerClient) => Promise<T>;
  /** Peers asked at the same time. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

type Settled<T> = { readonly peer: PeerId; readonly answer?: T };

/**
 * Asks peers in order, some at once, and yields answers as they come. Peers that fail are logged and left out;
 * when the reader stops, those still being asked are let go.
 */
export async function* answersOf<T>(
  parts: Parts,
  peers: readonly PeerId[],
  { ask, atOnce, signal }: Question<T>,
): AsyncGenerator<{ peer: PeerId; answer: T }> {
  const stopped = new AbortController();
  const asking = AbortSignal.any([signal, stopped.signal]);
  const left = [...peers];
  const running = new Map<PeerId, Promise<Settled<T>>>();
  const start = async (peer: PeerId): Promise<Settled<T>> => {
    try {
      return { peer, answer: await ask(peerClient(parts, peer, asking)) };
    } catch (error) {
      if (!asking.aborted) noteFailure(parts, peer, error);
      return { peer };
    }
  };
  try {
    for (;;) {
      for (const peer of left.splice(0, atOnce - running.size)) running.set(peer, start(peer));
      if (running.size === 0) return;
      const { peer, answer } = await Promise.race(running.values());
      signal.throwIfAborted();
      running.delete(peer);
      if (answer !== undefined) yield { peer, answer };
    }
  } finally {
    stopped.abort();
  }
}

/** A wrong answer is reported, an absent one is everyday life. @returns true when it was a wrong answer */
export function noteFailure(parts: Parts, peer: PeerId, error: unknown): boolean {
  const isWrong = errorCode(error) === "dht-storage/refused";
  if (isWrong) report(parts, peer, { problem: String(error) });
  else parts.logger.debug("a peer did not answer", { peer, error: String(error) });
  return isWrong;
}
