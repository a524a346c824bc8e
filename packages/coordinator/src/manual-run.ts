import type { Executor, RunResult } from "./contract-ports.ts";
import type { Verdict } from "./run-task.ts";

/** The part of an executor in an attempt that a person carries out: it waits for what they bring. */
export class ManualRun implements Executor {
  readonly #work = Promise.withResolvers<RunResult>();
  readonly #ended = Promise.withResolvers<Verdict | undefined>();

  /** How the attempt ended; undefined when it was given up. */
  get ended(): Promise<Verdict | undefined> {
    return this.#ended.promise;
  }

  /** Brings the work; from here on it goes the way of every run. */
  finish(result: RunResult): void {
    this.#work.resolve(result);
  }

  end(verdict: Verdict | undefined): void {
    this.#ended.resolve(verdict);
  }

  async execute(
    _task: Parameters<Executor["execute"]>[0],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<RunResult> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      return await Promise.race([this.#work.promise, stopped]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
