/** One value that readers follow; a slow reader sees the latest only. */
export class Watch<T> {
  #value: T;
  #version = 0;
  #ended = false;
  readonly #waiting = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    this.#version++;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The current value, then every change until the signal fires or the watch ends. */
  async *changes(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    try {
      for (let seen = -1; !signal.aborted && !this.#ended; ) {
        if (seen === this.#version) await new Promise<void>((resolve) => this.#waiting.add(resolve));
        else {
          seen = this.#version;
          yield this.#value;
        }
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
