/**
 * Hands items from writers to one reader; `end` closes it after what is queued, `fail` at once. Beyond `most`
 * unread items the oldest are dropped.
 */
export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #most: number;
  #wake: (() => void) | undefined;
  #ended = false;
  #error: Error | undefined;

  constructor(most = Infinity) {
    this.#most = most;
  }

  push(item: T): void {
    if (this.#ended) return;
    if (this.#items.length >= this.#most) this.#items.shift();
    this.#items.push(item);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#error = error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      if (this.#error) throw this.#error;
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
