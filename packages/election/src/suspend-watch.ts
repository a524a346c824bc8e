import type { Clock } from "@chorus/kernel";

/**
 * Notices that monotonic time stood still, as CLOCK_MONOTONIC does while a machine sleeps: wall time went on
 * meanwhile. A wall clock that was set forward looks the same and costs one round of beats; one that was set back
 * hides nothing but a sleep in the same moment.
 */
export class SuspendWatch {
  readonly #clock: Clock;
  readonly #toleranceMs: number;
  #offset: number;

  /** @param toleranceMs the part of a lease's margin that may pass unnoticed from one beat to the next */
  constructor(clock: Clock, toleranceMs: number) {
    this.#clock = clock;
    this.#toleranceMs = toleranceMs;
    this.#offset = this.#read();
  }

  /** True when more wall time than monotonic time has passed since {@link note}. */
  slept(): boolean {
    return this.#read() - this.#offset > this.#toleranceMs;
  }

  /** The clocks agree from here on. */
  note(): void {
    this.#offset = this.#read();
  }

  #read(): number {
    return this.#clock.now() - this.#clock.monotonic();
  }
}
