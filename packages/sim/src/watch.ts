import type { Run, World } from "./contract.ts";

/** Asks the invariants after each event, and what must become true after the heal. */
export class Watch<Running> {
  violation: Run["violation"];
  readonly #world: World<Running>;
  readonly #invariants: readonly (readonly [string, (world: World<Running>) => string | undefined])[];
  readonly #eventually: readonly (readonly [string, (world: World<Running>) => boolean])[];
  readonly #awaited: Set<string>;
  readonly #withinMs: number;

  constructor({ invariants, eventually }: Watched<Running>, world: World<Running>, withinMs: number) {
    this.#world = world;
    this.#invariants = Object.entries(invariants?.() ?? {});
    this.#eventually = Object.entries(eventually ?? {});
    this.#awaited = new Set(this.#eventually.map(([name]) => name));
    this.#withinMs = withinMs;
  }

  check(): void {
    for (const [name, invariant] of this.#invariants) {
      const text = invariant(this.#world);
      if (text !== undefined) return this.#violated(name, text);
    }
    if (!this.#world.healed || this.#awaited.size === 0) return;
    for (const [name, holds] of this.#eventually)
      if (this.#awaited.has(name) && holds(this.#world)) this.#awaited.delete(name);
  }

  deadline(): void {
    for (const name of this.#awaited)
      return this.#violated(name, `not true within ${this.#withinMs} ms of the heal`);
  }

  end(): void {
    if (!this.#world.healed) return;
    const broken = this.#eventually.find(([, holds]) => !holds(this.#world));
    if (broken !== undefined) this.#violated(broken[0], "not true at the end");
  }

  threw(error: unknown): void {
    this.#violated("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  #violated(name: string, text: string): void {
    this.violation = { name, text, at: this.#world.now };
  }
}

interface Watched<Running> {
  readonly invariants?: () => Readonly<Record<string, (world: World<Running>) => string | undefined>>;
  readonly eventually?: Readonly<Record<string, (world: World<Running>) => boolean>>;
}
