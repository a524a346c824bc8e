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
