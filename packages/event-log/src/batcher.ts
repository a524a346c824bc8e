/** Collects calls that come while one is at work, and runs them together. */
export interface Batcher<T, R> {
  /** Resolves with the item's own result; a signal withdraws it while it waits. */
  readonly add: (item: T, signal?: AbortSignal) => Promise<R>;
  /** Resolves when nothing waits and nothing runs. */
  readonly idle: () => Promise<void>;
}

export interface BatcherOptions<T, R> {
  /** Runs a batch and gives one result an item; when it rejects, every item of the batch does. */
  readonly run: (items: readonly T[]) => Promise<readonly R[]>;
  /** A batch is closed when its weight reaches `limit`; it holds one item at least. */
  readonly weigh: (item: T) => number;
  readonly limit: number;
  /** Waited for before each batch. */
  readonly pause: () => Promise<void>;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly done: PromiseWithResolvers<R>;
}

export function batcher<T, R>({ run, weigh, limit, pause }: BatcherOptions<T, R>): Batcher<T, R> {
  const queue: Waiting<T, R>[] = [];
  let running: Promise<void> | undefined;

  const takeBatch = (): Waiting<T, R>[] => {
    let weight = 0;
    const end = queue.findIndex(({ item }) => (weight += weigh(item)) >= limit);
    return queue.splice(0, end === -1 ? queue.length : end + 1);
  };
  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      await pause();
      const batch = takeBatch();
      if (batch.length > 0) await settle(batch, run);
    }
    running = undefined;
  };
  return {
    async add(item, signal) {
      signal?.throwIfAborted();
      const waiting: Waiting<T, R> = { item, done: Promise.withResolvers<R>() };
      const withdraw = (): void => {
        const at = queue.indexOf(waiting);
        if (at === -1) return;
        queue.splice(at, 1);
        waiting.done.reject(signal?.reason);
      };
      signal?.addEventListener("abort", withdraw, { once: true });
      queue.push(waiting);
      running ??= work();
      try {
        return await waiting.done.promise;
      } finally {
        signal?.removeEventListener("abort", withdraw);
      }
    },
    idle: async () => {
      await running;
    },
  };
}

async function settle<T, R>(
  batch: readonly Waiting<T, R>[],
  run: (items: readonly T[]) => Promise<readonly R[]>,
): Promise<void> {
  try {
    const results = await run(batch.map(({ item }) => item));
    for (const [i, { done }] of batch.entries()) {
      const result = results[i];
      if (result === undefined) throw new RangeError("a batch gave too few results");
      done.resolve(result);
    }
  } catch (error) {
    for (const { done } of batch) done.reject(error);
  }
}
