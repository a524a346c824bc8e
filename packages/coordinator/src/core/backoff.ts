import type { Backoff } from "../contract-spec.ts";
import type { Token } from "../contract-task.ts";

const DEFAULTS = { firstMs: 1000, factor: 2, maxMs: 60_000 };

/**
 * How long the next attempt waits. Jitter takes up to half of it away, from the token alone: every peer computes the
 * same wait, and tasks that failed together come back apart.
 * @param failures attempts that could not be carried out, from 1
 */
export function waitMsOf(backoff: Backoff | undefined, failures: number, token: Token): number {
  const { firstMs, factor, maxMs } = { ...DEFAULTS, ...backoff };
  const whole = Math.min(maxMs, firstMs * factor ** (failures - 1));
  return Math.ceil(whole * (1 - fractionOf(token) / 2));
}

/** From 0 to below 1: Knuth's multiplicative hash of the token. */
function fractionOf({ term, index }: Token): number {
  return (Math.imul(index, 2_654_435_761) ^ Math.imul(term, 2_246_822_519)) / 2 ** 32 + 0.5;
}
