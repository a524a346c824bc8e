import type { VoteState, VoteStore } from "@chorus/election";
import { type Clock, systemClock } from "@chorus/kernel";

/** Defects that can be planted into every peer. */
export const MUTANTS = ["forgetful", "sleepy-clock"] as const;
export type Mutant = (typeof MUTANTS)[number];

/** @throws RangeError */
export function parseMutant(name: string | undefined): Mutant | undefined {
  const found = MUTANTS.find((mutant) => mutant === name);
  if (name !== undefined && found === undefined)
    throw new RangeError(`the mutants are ${MUTANTS.join(" and ")}`);
  return found;
}

/** Says that the vote is on the disk and keeps it in memory: gone with the process. */
export function forgetfulStore(): VoteStore {
  let kept: VoteState | undefined;
  return {
    load: async () => kept,
    save: async (state) => {
      kept = state;
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** A longer time without a look at the clock means that the process was stopped. */
const SLEPT_MS = 500;

/** Stands still while the process is stopped, and the wall clock with it, so that nothing tells of the time that is missing. */
export function sleepyClock(): Clock {
  let last = performance.now();
  let slept = 0;
  const monotonic = (): number => {
    const now = performance.now();
    if (now - last > SLEPT_MS) slept += now - last;
    last = now;
    return now - slept;
  };
  setInterval(monotonic, SLEPT_MS / 20);
  const wall = systemClock.now() - performance.now();
  return { ...systemClock, monotonic, now: () => wall + monotonic() };
}
