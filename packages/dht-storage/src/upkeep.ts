import { parseCid } from "@chorus/kernel";
import { openEnvelope } from "./blob-envelope.ts";
import { headItem, headSpread } from "./lanes.ts";
import { limitsOf, type Parts } from "./parts.ts";
import { complete, type Spread } from "./spread.ts";
import { blobItem, blobSpread } from "./write.ts";

/** A peer that has just connected may not serve storage yet; later the pauses grow up to the second figure. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 600_000;

/**
 * Until the lifetime ends: makes the copies that are owed when peers appear, and removes what has expired. While
 * copies are owed it tries again after a pause that doubles, from the start when a peer connects.
 */
export async function upkeep(parts: Parts): Promise<void> {
  const { clock, lifetime, blocks, logger } = parts;
  const joined = joins(parts);
  let pause = FIRST_RETRY_MS;
  while (!lifetime.aborted) {
    const join = joined.next();
    try {
      await blocks.sweep();
      const isDone = await completeCopies(parts);
      pause = isDone ? LAST_RETRY_MS : Math.min(pause * 2, LAST_RETRY_MS);
    } catch (error) {
      if (!lifetime.aborted) logger.error("upkeep failed and will be tried again", { error: String(error) });
    }
    const woken = new AbortController();
    const timeUp = clock.sleep(pause, { signal: AbortSignal.any([lifetime, woken.signal]) }).then(
      () => false,
      () => false,
    );
    if (await Promise.race([join, timeUp])) pause = FIRST_RETRY_MS;
    woken.abort();
  }
}

/** @returns true when no copy is owed that a connected peer could take */
async function completeCopies(parts: Parts): Promise<boolean> {
  const { copies, streams, lifetime } = parts;
  let isDone = true;
  for (const item of copies.owed()) {
    if (lifetime.aborted) return true;
    const holders = copies.holders(item);
    if (streams.peers().every((peer) => holders.includes(peer))) continue;
    const what = await owedThing(parts, item);
    if (what === undefined) {
      copies.forget(item);
      continue;
    }
    await complete(parts, what);
    isDone &&= !copies.isOwed(item);
  }
  return isDone;
}

/** @returns undefined when the thing has expired or is gone */
async function owedThing(parts: Parts, item: string): Promise<Spread | undefined> {
  const space = item.indexOf(" ");
  const name = item.slice(space + 1);
  if (item === headItem(name)) {
    const [head] = await parts.heads.highest(name);
    return head?.head.author === parts.signer.peer ? headSpread(parts, head) : undefined;
  }
  const cid = parseCid(name);
  if (item !== blobItem(cid)) return undefined;
  for (const { bytes } of parts.envelopes.held(cid)) {
    const signed = await openEnvelope(bytes, limitsOf(parts));
    if (signed.envelope.author === parts.signer.peer) return blobSpread(parts, signed);
  }
  return undefined;
}

/** Resolves with true each time a peer has connected since it was last asked. */
function joins({ streams, lifetime }: Parts): { next(): Promise<boolean> } {
  let isNew = false;
  let wake: (() => void) | undefined;
  const watch = async (): Promise<void> => {
    for await (const { connected } of streams.changes({ signal: lifetime })) {
      isNew ||= connected;
      if (isNew) wake?.();
    }
  };
  void watch().catch(() => undefined);
  return {
    next: () =>
      new Promise((resolve) => {
        wake = () => {
          isNew = false;
          wake = undefined;
          resolve(true);
        };
        if (isNew) wake();
      }),
  };
}
