/** How often each moment was waited for, and how often it came. */
export class Tally {
  readonly #counts = new Map<string, { hit: number; missed: number }>();

  count(moment: string, hit: boolean): void {
    const counts = this.#counts.get(moment) ?? { hit: 0, missed: 0 };
    counts[hit ? "hit" : "missed"]++;
    this.#counts.set(moment, counts);
  }

  add(other: Tally): void {
    for (const [moment, { hit, missed }] of other.#counts) {
      const counts = this.#counts.get(moment) ?? { hit: 0, missed: 0 };
      this.#counts.set(moment, { hit: counts.hit + hit, missed: counts.missed + missed });
    }
  }

  hits(moment: string): number {
    return this.#counts.get(moment)?.hit ?? 0;
  }

  lines(): readonly string[] {
    return [...this.#counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([moment, { hit, missed }]) => {
        const not = missed === 0 ? "" : `, did not come ${missed}`;
        return `${moment}: hit ${hit}${not}`;
      });
  }
}
