/** Chance that repeats: the same seed gives the same numbers. */
export interface Random {
  /** 0 ≤ number < 1 */
  next(): number;
  /** A whole number, 0 ≤ number < `below`. */
  below(below: number): number;
  /** True about once in `n` calls. */
  oneIn(n: number): boolean;
  /** One of them; they must not be empty. */
  pick<T>(from: readonly T[]): T;
}

/** mulberry32: 32 bits of state, good enough to choose what happens next. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    oneIn: (n) => below(n) === 0,
    pick(from) {
      const chosen = from[below(from.length)];
      if (chosen === undefined) throw new RangeError("nothing to pick from");
      return chosen;
    },
  };
}
