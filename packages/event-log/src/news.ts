/** Wakes everyone who waits for something new. */
export interface News {
  announce(): void;
  /** Resolves at the next announcement; rejects with `signal.reason` when cancelled. */
  next(signal?: AbortSignal): Promise<void>;
}

export function news(): News {
  let coming = Promise.withResolvers<void>();
  return {
    announce() {
      coming.resolve();
      coming = Promise.withResolvers();
    },
    async next(signal) {
      signal?.throwIfAborted();
      const cancelled = Promise.withResolvers<never>();
      const cancel = (): void => cancelled.reject(signal?.reason);
      signal?.addEventListener("abort", cancel, { once: true });
      try {
        await Promise.race([coming.promise, cancelled.promise]);
      } finally {
        signal?.removeEventListener("abort", cancel);
      }
    },
  };
}
