/** A sequence of numbers in [0, 1). */
export type Random = () => number;

/** Mulberry32: 32 bits of state, good enough to choose what happens next. */
export function sequence(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    return finish(state);
  };
}

/**
 * A number in [0, 1) for a place instead of a point in a sequence: the fate of a message depends on its link and its
 * number there, so that taking a fault out of a schedule leaves all the rest as it was.
 */
export function chanceAt(seed: number, place: number, count: number): number {
  return finish(mix(mix(seed | 0, place), count));
}

/** A seed for something inside the run of a seed. */
export function mix(seed: number, part: number): number {
  let x = Math.imul(seed ^ (seed >>> 16), 0x7feb352d) ^ Math.imul(part + 0x9e3779b9, 0x846ca68b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  return x ^ (x >>> 13);
}

function finish(state: number): number {
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
}
