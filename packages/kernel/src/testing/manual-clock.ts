import type { Clock } from "../ports.ts";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Moves time and wakes the sleepers it passes, in order; pending promise callbacks run in between. */
  advance(ms: number): Promise<void>;
}

/** Starts at `start` (milliseconds since the epoch, default 1 750 000 000 000); monotonic time starts at 0. */
export function manualClock(start = 1_750_000_000_000): ManualClock {
  let elapsed = 0;
  let sleepers: Sleeper[] = [];
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    sleep: (ms, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const sleeper = { at: elapsed + ms, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          reject(signal.reason);
        });
      }),
    async advance(ms) {
      const until = elapsed + ms;
      for (;;) {
        await settle();
        const next = sleepers.toSorted((a, b) => a.at - b.at).find((sleeper) => sleeper.at <= until);
        if (next === undefined) break;
        elapsed = Math.max(elapsed, next.at);
        sleepers = sleepers.filter((other) => other !== next);
        next.wake();
      }
      elapsed = until;
      await settle();
    },
  };
}

/** Lets promise callbacks and immediate tasks run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
