/** One at a time for each key, in the order in which they asked. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when it is the caller's turn, until what it gets is disposed of. Rejects with the signal's reason. */
  async take(key: string, signal: AbortSignal): Promise<Disposable> {
    const before = this.#last.get(key);
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const mine = before === undefined ? over : before.then(() => over);
    this.#last.set(key, mine);
    const leave = (): void => {
      end();
      if (this.#last.get(key) === mine) this.#last.delete(key);
    };
    try {
      await waitFor(before, signal);
    } catch (error) {
      leave();
      throw error;
    }
    return { [Symbol.dispose]: leave };
  }
}

async function waitFor(before: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (before === undefined) return;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([before, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
