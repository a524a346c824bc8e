import type { Cid, PeerId } from "@chorus/kernel";
import { sha256 } from "./blob-envelope.ts";
import { inTime } from "./channel.ts";
import type { Parts } from "./parts.ts";

const MAX_PROVIDERS = 20;

/** The key in the DHT is a hash of the address, so that walking the DHT tells nobody what is asked for. */
function routingKey(cid: Cid): Uint8Array {
  return sha256(new TextEncoder().encode(`chorus-ucxl-v1${cid}`));
}

/** Tells the DHT, in the background, that this peer holds a blob. */
export function announce(parts: Parts, cid: Cid): void {
  const { routing, logger, lifetime: signal } = parts;
  if (routing === undefined) return;
  parts.background(
    routing.provide(routingKey(cid), { signal }).catch((error: unknown) => {
      if (!signal.aborted) logger.debug("a provider record was not published", { error: String(error) });
    }),
  );
}

/** Peers that the DHT names as holders; none when it cannot tell. */
export async function* providersOf(parts: Parts, cid: Cid, signal: AbortSignal): AsyncGenerator<PeerId> {
  const { routing, logger, clock, peerTimeoutMs: timeoutMs } = parts;
  if (routing === undefined) return;
  const search = new AbortController();
  const searching = AbortSignal.any([signal, search.signal]);
  const providers = routing.providers(routingKey(cid), { signal: searching });
  const found = providers[Symbol.asyncIterator]();
  try {
    for (let i = 0; i < MAX_PROVIDERS; i++) {
      const { done, value } = await inTime(found.next(), { clock, timeoutMs, signal });
      if (done === true) return;
      yield value;
    }
  } catch (error) {
    signal.throwIfAborted();
    logger.debug("the DHT named no more holders", { error: String(error) });
  } finally {
    search.abort();
  }
}
