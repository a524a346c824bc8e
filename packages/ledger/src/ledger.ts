import { randomUUID } from "node:crypto";
import { InvalidInputError } from "@chorus/kernel";
import { Appender } from "./appender.ts";
import { GENESIS, type Position } from "./chain.ts";
import type {
  Ledger,
  LedgerComponents,
  LedgerOptions,
  LedgerStatus,
  LogEntry,
  Proposed,
} from "./contract.ts";
import { Epochs } from "./epoch.ts";
import { ClosedError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { Follower } from "./follower.ts";
import { Log } from "./log.ts";
import { Proposals } from "./proposals.ts";
import { checkCommand, parseId, PROTOCOL } from "./wire.ts";

/** Below this, one disk write could push its own outcomes out of the window. */
const MIN_WINDOW = 1024;
const CHUNK = 256;

/**
 * Opens the log, rebuilds the state from it and takes part: as the writer while this peer leads, as a learner
 * of the admin otherwise. A damaged log opens read-only; see {@link Ledger.status}.
 */
export async function ledger<S, R>(
  components: LedgerComponents<S, R>,
  options: LedgerOptions = {},
): Promise<Ledger<S, R>> {
  const logger = components.logger.child({ package: "ledger" });
  const { store, machine } = components;
  const window = Math.max(MIN_WINDOW, options.dedupWindow ?? 10_000);
  const log = new Log<S, R>({ store, machine, logger, window });
  await log.open();
  return new RunningLedger(log, { ...components, logger }, options);
}

class RunningLedger<S, R> implements Ledger<S, R> {
  readonly #log: Log<S, R>;
  readonly #components: LedgerComponents<S, R>;
  readonly #options: LedgerOptions;
  readonly #stopping = new AbortController();
  readonly #epochs: Epochs;
  readonly #feed: Feed;
  readonly #proposals: Proposals<R>;
  readonly #serving: Disposable;
  readonly #running: readonly Promise<void>[];

  constructor(log: Log<S, R>, components: LedgerComponents<S, R>, options: LedgerOptions) {
    const { leadership, streams, clock, logger } = components;
    this.#log = log;
    this.#components = components;
    this.#options = options;
    const replicate = (index: number): Promise<number> => this.#replicate(index);
    const appender = new Appender({
      log,
      leadership,
      clock,
      replicate,
      windowMs: options.commitWindowMs ?? 2,
    });
    this.#feed = new Feed({ log, leadership, logger, submit: (id, command) => appender.submit(id, command) });
    this.#proposals = new Proposals<R>({
      log,
      clock,
      timeoutMs: options.proposeTimeoutMs ?? 5000,
      appendHere: (id, command) => (leadership.isAdmin() ? appender.submit(id, command) : undefined),
    });
    this.#epochs = new Epochs(leadership, () => this.#onEpoch());
    this.#serving = streams.handle(PROTOCOL, (stream) => this.#feed.serve(stream));
    const follower = new Follower({ streams, clock, logger, log, proposals: this.#proposals });
    this.#running = [
      this.#epochs.run(this.#stopping.signal),
      follower.run(() => this.#epochs.current, this.#stopping.signal),
      this.#watchFailure(),
    ];
    this.#onEpoch();
  }

  async propose(
    command: Uint8Array,
    { signal, id = randomUUID() }: { readonly signal?: AbortSignal; readonly id?: string } = {},
  ): Promise<Proposed<R>> {
    checkCommand(command);
    const name = parseId(id);
    if (this.#log.failure !== undefined) throw this.#log.failure;
    return this.#proposals.propose(name, command, signal);
  }

  state(): S {
    return this.#log.state;
  }

  appliedIndex(): number {
    return this.#log.applied.index;
  }

  status(): LedgerStatus {
    const error = this.#log.failure;
    if (error === undefined) return { mode: "live" };
    return error instanceof ClosedError ? { mode: "closed" } : { mode: "read-only", error };
  }

  async *entries(options: { readonly from: number; readonly signal: AbortSignal }): AsyncGenerator<LogEntry> {
    const { from, signal } = options;
    if (!Number.isSafeInteger(from) || from < 1)
      throw new InvalidInputError("from", "must be an index from 1 on");
    await this.#reach(from - 1, signal);
    let at: Position = (await this.#log.positionAt(from - 1)) ?? GENESIS;
    while (!signal.aborted && (await this.#reach(at.index + 1, signal))) {
      for (const entry of await this.#log.read(at, CHUNK)) {
        if (signal.aborted) return;
        const { index, term, command } = entry;
        yield { index, term, command };
        at = entry;
      }
    }
  }

  async waitFor(index: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    if (await this.#reach(index, signal)) return;
    signal.throwIfAborted();
    throw this.#log.failure ?? new ClosedError();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#serving[Symbol.dispose]();
    this.#stopping.abort();
    this.#feed.stop(new Error("ledger closed"));
    await this.#log.close();
    await Promise.all(this.#running);
  }

  /** @returns false when cancelled or closed before. @throws when the log failed */
  async #reach(index: number, signal: AbortSignal): Promise<boolean> {
    while (this.#log.applied.index < index) {
      const { failure } = this.#log;
      if (signal.aborted || failure instanceof ClosedError) return false;
      if (failure !== undefined) throw failure;
      await this.#log.changed(signal);
    }
    return true;
  }

  #onEpoch(): void {
    const { leading } = this.#epochs.current;
    if (leading) void this.#log.commitTail().catch(() => undefined);
    else this.#feed.stop(new Error("the lead was lost"));
    this.#proposals.retry();
  }

  async #replicate(index: number): Promise<number> {
    const { ackReplicas = 2, replicaWaitMs = 50 } = this.#options;
    const enough = (): boolean =>
      this.#feed.replicas(index) >= Math.min(ackReplicas, 1 + this.#feed.learners);
    if (enough() || replicaWaitMs === 0) return this.#feed.replicas(index);
    const ended = new AbortController();
    const late = this.#components.clock
      .sleep(replicaWaitMs, { signal: ended.signal })
      .then(() => ended.abort())
      .catch(() => undefined);
    while (!enough() && !ended.signal.aborted) await this.#feed.changed(ended.signal);
    ended.abort();
    await late;
    return this.#feed.replicas(index);
  }

  async #watchFailure(): Promise<void> {
    while (this.#log.failure === undefined) await this.#log.changed();
    this.#proposals.fail(this.#log.failure);
    this.#feed.stop(this.#log.failure);
  }
}
