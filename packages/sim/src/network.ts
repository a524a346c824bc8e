import { chanceAt } from "./random.ts";

/** Weather everywhere, as the chance that a message meets it. */
export interface Weather {
  drop: number;
  duplicate: number;
  reorder: number;
}

/** An overtaken or repeated message is late by at most this. */
const LATE_MS = 2000;

/** Decides for each message when its copies arrive. */
export class Network {
  readonly weather: Weather = { drop: 0, duplicate: 0, reorder: 0 };
  readonly #nodes: number;
  readonly #seed: number;
  readonly #shortest: number;
  readonly #spread: number;
  /** Per link: faults that block it, milliseconds that they add, messages so far, the last arrival. */
  readonly #blocked: Int32Array;
  readonly #slow: Float64Array;
  readonly #count: Int32Array;
  readonly #last: Float64Array;

  constructor(nodes: number, seed: number, [shortest, longest]: readonly [number, number]) {
    this.#nodes = nodes;
    this.#seed = seed;
    this.#shortest = shortest;
    this.#spread = longest - shortest;
    this.#blocked = new Int32Array(nodes * nodes);
    this.#slow = new Float64Array(nodes * nodes);
    this.#count = new Int32Array(nodes * nodes);
    this.#last = new Float64Array(nodes * nodes);
  }

  /** `by` is 1 when a fault begins and -1 when it ends. */
  block(from: number, to: number, by: 1 | -1): void {
    const link = this.#link(from, to);
    this.#blocked[link] = (this.#blocked[link] ?? 0) + by;
  }

  slow(from: number, to: number, byMs: number): void {
    const link = this.#link(from, to);
    this.#slow[link] = (this.#slow[link] ?? 0) + byMs;
  }

  open(from: number, to: number): boolean {
    return this.#blocked[this.#link(from, to)] === 0;
  }

  /** Calls `arrive` with the real time of each copy; not at all for a message that is lost. */
  route(
    from: number,
    to: number,
    way: { readonly now: number; readonly arrive: (at: number) => void },
  ): void {
    const { now, arrive } = way;
    if (from === to) return arrive(now);
    const at = this.#link(from, to);
    const number = (this.#count[at] ?? 0) + 1;
    this.#count[at] = number;
    const chance = (which: number): number => chanceAt(this.#seed, (from * 1024 + to) * 8 + which, number);
    const { drop, duplicate, reorder } = this.weather;
    if (!this.open(from, to) || (drop > 0 && chance(1) < drop)) return;
    const usual = now + this.#shortest + chance(0) * this.#spread + (this.#slow[at] ?? 0);
    const inOrder = Math.max(usual, this.#last[at] ?? 0);
    if (reorder > 0 && chance(2) < reorder) arrive(usual + chance(3) * LATE_MS);
    else {
      this.#last[at] = inOrder;
      arrive(inOrder);
    }
    if (duplicate > 0 && chance(4) < duplicate) arrive(usual + chance(5) * LATE_MS);
  }

  #link(from: number, to: number): number {
    return from * this.#nodes + to;
  }
}
