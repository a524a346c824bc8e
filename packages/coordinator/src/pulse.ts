/** Wakes everyone who waits: "something may have changed, look again". */
export class Pulse {
  #waiting = Promise.withResolvers<void>();

  beat(): void {
    const { resolve } = this.#waiting;
    this.#waiting = Promise.withResolvers<void>();
    resolve();
  }

  /**
   * Resolves at the next beat, or when a signal fires. Call it *before* looking, so that no change between the
   * look and the wait is missed.
   */
  next(signal: AbortSignal): Promise<void> {
    const { promise } = this.#waiting;
    return signal.aborted ? Promise.resolve() : Promise.race([promise, aborted(signal)]);
  }
}

/** A pulse for each of many things, kept only while somebody waits for it. */
export class Pulses {
  readonly #pulses = new Map<string, { readonly pulse: Pulse; waiting: number }>();

  beat(id: string): void {
    this.#pulses.get(id)?.pulse.beat();
  }

  /** As {@link Pulse.next}, for one of them. */
  async next(id: string, signal: AbortSignal): Promise<void> {
    const known = this.#pulses.get(id) ?? { pulse: new Pulse(), waiting: 0 };
    this.#pulses.set(id, known);
    known.waiting++;
    try {
      await known.pulse.next(signal);
    } finally {
      if (--known.waiting === 0) this.#pulses.delete(id);
    }
  }
}

const whenAborted = new WeakMap<AbortSignal, Promise<void>>();

/** One listener a signal, however often it is waited for. */
function aborted(signal: AbortSignal): Promise<void> {
  const known = whenAborted.get(signal);
  if (known !== undefined) return known;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  whenAborted.set(signal, promise);
  return promise;
}
