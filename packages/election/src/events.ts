/** Events that may wait for one reader; the oldest go first. */
const MAX_WAITING = 64;

interface Reader<T> {
  readonly waiting: T[];
  wake: () => void;
}

/** Something that happens now and then, for readers that each have their own pace. */
export class Events<T> {
  readonly #readers = new Set<Reader<T>>();
  #ended = false;

  push(event: T): void {
    for (const reader of this.#readers) {
      if (reader.waiting.length === MAX_WAITING) reader.waiting.shift();
      reader.waiting.push(event);
      reader.wake();
    }
  }

  end(): void {
    this.#ended = true;
    for (const { wake } of this.#readers) wake();
  }

  /** What happens from this call on, until the signal fires or the source ends. */
  follow(signal: AbortSignal): AsyncIterable<T> {
    const reader: Reader<T> = { waiting: [], wake: () => undefined };
    this.#readers.add(reader);
    return this.#read(reader, signal);
  }

  async *#read(reader: Reader<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const onAbort = (): void => reader.wake();
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const event = reader.waiting.shift();
        if (event !== undefined) yield event;
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#readers.delete(reader);
    }
  }
}
