import type { Alphabet, Part } from "./contract.ts";

/** A run of a fixed length. */
export function exactly(of: Alphabet, length: number): Part {
  return { of, min: length, max: length };
}

/** A run that may grow: formats do. */
export function atLeast(of: Alphabet, min: number): Part {
  return { of, min };
}

/** A run between two lengths, both included. */
export function between(of: Alphabet, [min, max]: readonly [number, number]): Part {
  return { of, min, max };
}
