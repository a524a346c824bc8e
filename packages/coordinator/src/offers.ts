import { decodeCanonical, encodeCanonical, type PeerId, type PeerStream } from "@chorus/kernel";
import { z } from "zod";
import { missingOf } from "./capability.ts";
import type { TaskSpec } from "./contract-task.ts";
import type { Peer } from "./peer.ts";
import { OFFERS_PROTOCOL } from "./wire-names.ts";

/** What one peer offers to tasks. */
export interface Offer {
  readonly capabilities: readonly string[];
  /** Tasks at once. */
  readonly capacity: number;
}

const schema = z.object({
  capabilities: z.array(z.string().max(64)).max(64),
  capacity: z.int().min(0),
});

/** Pauses before a peer that did not answer is asked again. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Who offers what, of the peers that are connected. It decides nothing: it is what a view says of a task that nobody
 * can run. An offer stands as long as the process that made it, so it is asked for once a connection.
 */
export class Offers implements Disposable {
  readonly #peer: Peer;
  readonly #known = new Map<PeerId, Offer>();
  readonly #asking = new Map<PeerId, AbortController>();
  readonly #service: Disposable;

  constructor(peer: Peer) {
    this.#peer = peer;
    const { capabilities, capacity } = peer.settings;
    this.#service = peer.components.streams.handle(OFFERS_PROTOCOL, async (stream) => {
      await stream.send(encodeCanonical({ capabilities, capacity }));
      await stream.close();
    });
    for (const other of peer.components.streams.peers()) this.#ask(other);
    peer.background.run("offers", this.#followConnections());
  }

  /** What keeps a task from being run: nothing, `capacity`, or the requirements that the best offer lacks. */
  missing(spec: TaskSpec): readonly string[] {
    const { capabilities, capacity } = this.#peer.settings;
    const offers = [{ capabilities, capacity }, ...this.#known.values()].filter(
      (offer) => offer.capacity > 0,
    );
    const lacks = offers.map((offer) => missingOf(offer.capabilities, spec));
    // Who has not answered yet may be able to.
    if (lacks.some(({ length }) => length === 0) || this.#asking.size > 0) return [];
    return lacks.reduce(
      (least, next) => (next.length < least.length ? next : least),
      lacks[0] ?? ["capacity"],
    );
  }

  [Symbol.dispose](): void {
    this.#service[Symbol.dispose]();
  }

  async #followConnections(): Promise<void> {
    const { components, stop } = this.#peer;
    for await (const { peer, connected } of components.streams.changes({ signal: stop })) {
      this.#forget(peer);
      if (connected) this.#ask(peer);
    }
  }

  #forget(peer: PeerId): void {
    this.#known.delete(peer);
    this.#asking.get(peer)?.abort();
    this.#asking.delete(peer);
  }

  #ask(peer: PeerId): void {
    const over = new AbortController();
    this.#asking.set(peer, over);
    const signal = AbortSignal.any([this.#peer.stop, over.signal]);
    const quietly = this.#learn(peer, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    this.#peer.background.run("asking for an offer", quietly);
  }

  async #learn(peer: PeerId, signal: AbortSignal): Promise<void> {
    const { streams, clock } = this.#peer.components;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const offer = await readOffer(await streams.open(peer, OFFERS_PROTOCOL, { signal }));
        signal.throwIfAborted();
        if (offer !== undefined) this.#known.set(peer, offer);
        this.#asking.delete(peer);
        return;
      } catch (error) {
        // It may not serve yet, or it is about to be gone.
        if (signal.aborted) throw error;
      }
      await clock.sleep(pauseMs, { signal });
    }
  }
}

async function readOffer(stream: PeerStream): Promise<Offer | undefined> {
  await stream.close();
  for await (const frame of stream.frames) return schema.safeParse(decodeCanonical(frame)).data;
  return undefined;
}
