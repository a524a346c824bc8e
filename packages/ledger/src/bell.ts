/** Wakes all that wait for a change. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next ring, or when the signal fires. */
  rung(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener("abort", done);
    });
  }

  ring(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
