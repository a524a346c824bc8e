/**
 * Hands items from events to one reader until its signal fires; what is queued then is still read. A reader
 * that is too slow loses the oldest items, so that it can hold up nobody and no memory.
 */
export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(item: T): void {
    if (this.#ended) return;
    if (this.#items.length >= this.#limit) this.#items.shift();
    this.#items.push(item);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Readers of one kind of event. */
export class Audience<T> {
  readonly #queues = new Set<Queue<T>>();
  readonly #limit: number;

  /** @param limit items that one slow reader may leave unread */
  constructor(limit: number) {
    this.#limit = limit;
  }

  join(signal: AbortSignal): AsyncIterable<T> {
    const queue = new Queue<T>(this.#limit);
    const leave = (): void => {
      this.#queues.delete(queue);
      queue.end();
    };
    if (signal.aborted) queue.end();
    else {
      this.#queues.add(queue);
      signal.addEventListener("abort", leave, { once: true });
    }
    return queue;
  }

  tell(item: T): void {
    for (const queue of this.#queues) queue.push(item);
  }

  end(): void {
    for (const queue of this.#queues) queue.end();
    this.#queues.clear();
  }
}
