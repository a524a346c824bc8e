import type { PeerId } from "@chorus/kernel";
import type { Leadership } from "../contract.ts";

/** Leadership that a test hands out; every view changes at once. */
export interface FakeLeadership {
  /** What one peer sees. */
  of(peer: PeerId): Leadership;
  /** Gives the lead to a peer, in the next term, or to nobody. */
  lead(peer: PeerId | undefined): void;
}

/** Nobody leads at first; terms start at 1. */
export function fakeLeadership(): FakeLeadership {
  let term = 0;
  let holder: PeerId | undefined;
  const watchers = new Set<() => void>();
  return {
    of: (peer) => ({
      admin: () => (holder === undefined ? undefined : { peer: holder, term }),
      isAdmin: () => holder === peer,
      async *changes({ signal }) {
        let wake: (() => void) | undefined;
        let fresh = true;
        const notify = (): void => {
          fresh = true;
          wake?.();
        };
        watchers.add(notify);
        signal.addEventListener("abort", notify);
        while (!signal.aborted) {
          if (!fresh)
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          fresh = false;
          if (!signal.aborted) yield holder;
        }
        watchers.delete(notify);
      },
    }),
    lead(peer) {
      holder = peer;
      if (peer !== undefined) term++;
      for (const notify of watchers) notify();
    },
  };
}
