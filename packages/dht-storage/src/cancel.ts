/** Settles as `promise` does, unless the signal fires first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Reads a source that may hang; when the signal fires, or the reader stops, the source is left at once. */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await orAborted(iterator.next(), signal);
      ended = done === true;
      if (done === true) return;
      yield value;
    }
  } finally {
    // Not awaited: a generator that hangs in `next` answers `return` only after it.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
