/** One way to do the work. It returns a promise, or does it at once. */
export type Contender = () => unknown;

/**
 * Measures how often a second each contender does its work. The rounds of all contenders take turns and the
 * median counts, so that a busy machine slows all of them alike and the ratios stay true.
 */
export async function compare<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  options: { readonly rounds?: number; readonly roundMs?: number } = {},
): Promise<Readonly<Record<Name, number>>> {
  const { rounds = 15, roundMs = 30 } = options;
  const rates = new Map<string, number[]>();
  // The first round of each is thrown away: it compiles.
  for (let round = -1; round < rounds; round++)
    for (const [name, work] of Object.entries<Contender>(contenders)) {
      const rate = await rateOf(work, roundMs);
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), rate]);
    }
  const medians = Object.keys(contenders).map((name) => [name, median(rates.get(name) ?? [])]);
  const result: Record<Name, number> = Object.fromEntries(medians);
  return result;
}

async function rateOf(work: Contender, roundMs: number): Promise<number> {
  const from = performance.now();
  let done = 0;
  let took = 0;
  while (took < roundMs) {
    // Awaiting what is no promise would cost more than some of the work.
    for (let i = 0; i < 16; i++) {
      const outcome = work();
      if (outcome instanceof Promise) await outcome;
    }
    done += 16;
    took = performance.now() - from;
  }
  return (done / took) * 1000;
}

/** The value in the middle; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
