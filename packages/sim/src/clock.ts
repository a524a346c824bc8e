/** The clocks of one machine, as functions of real time. */
export class MachineClock {
  /** Shown at `#since`. */
  #now: number;
  #awake: number;
  #since = 0;
  #rate = 1;
  #suspended = false;

  constructor(start: number) {
    this.#now = start;
    this.#awake = start;
  }

  now(real: number): number {
    return this.#now + (real - this.#since) * this.#rate;
  }

  awake(real: number): number {
    return this.#suspended ? this.#awake : this.#awake + (real - this.#since) * this.#rate;
  }

  /** When `awake` shows `due`, if nothing happens to the clock until then; a nanosecond later, never before. */
  realOf(due: number, real: number): number {
    return real + Math.max(0, due - this.awake(real)) / this.#rate + 1e-6;
  }

  setRate(rate: number, real: number): void {
    this.#settle(real);
    this.#rate = rate;
  }

  suspend(suspended: boolean, real: number): void {
    this.#settle(real);
    this.#suspended = suspended;
  }

  /** Another start of the machine: its clocks begin anew. */
  restart(start: number, real: number): void {
    this.#settle(real);
    this.#now = start;
    this.#awake = start;
  }

  #settle(real: number): void {
    this.#awake = this.awake(real);
    this.#now = this.now(real);
    this.#since = real;
  }
}
