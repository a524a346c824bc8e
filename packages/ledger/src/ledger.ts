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
import { countFor } from "./elected-log.ts";
import { Epochs } from "./epoch.ts";
import { ClosedError, TruncatedError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { Follower } from "./follower.ts";
import { Lead } from "./lead.ts";
import { Log } from "./log.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { checkCommand, parseId, PROTOCOL } from "./wire.ts";

/** Below this, one disk write could push its own outcomes out of the window. */
const MIN_WINDOW = 1024;
const CHUNK = 256;

/**
 * Opens the log, rebuilds the state from it and takes part: as the writer while this peer leads, as a follower
 * of the admin otherwise. A damaged log opens read-only; see {@link Ledger.status}.
 */
export async function ledger<S, R>(
  components: LedgerComponents<S, R>,
  options: LedgerOptions = {},
): Promise<Ledger<S, R>> {
  const logger = components.logger.child({ package: "ledger" });
  const { store, machine } = components;
  const { clock, leadership } = components;
  const window = Math.max(MIN_WINDOW, options.dedupWindow ?? 10_000);
  const elected = leadership.term && (() => leadership.term?.() ?? 0);
  const { snapshotEntries = 10_000, snapshotBytes = 16_777_216, snapshotTrail = 4096 } = options;
  const snapshots = { entries: snapshotEntries, bytes: snapshotBytes, trail: snapshotTrail };
  const founding = (): string | undefined => leadership.config?.()?.founding;
  const log = new Log<S, R>({ store, machine, logger, clock, window, elected, snapshots, founding });
  await log.open();
  return new RunningLedger(log, { ...components, logger }, options);
}

class RunningLedger<S, R> implements Ledger<S, R> {
  readonly #log: Log<S, R>;
  readonly #components: LedgerComponents<S, R>;
  readonly #options: LedgerOptions;
  readonly #stopping = new AbortController();
  /** Fires when the log is closed or read-only. */
  readonly #ended = new AbortController();
  readonly #epochs: Epochs;
  readonly #feed: Feed;
  readonly #lead: Lead;
  readonly #proposals: Proposals<R>;
  readonly #reads: Reads;
  readonly #serving: Disposable;
  readonly #running: readonly Promise<void>[];

  constructor(log: Log<S, R>, components: LedgerComponents<S, R>, options: LedgerOptions) {
    const { leadership, streams, clock, logger } = components;
    this.#log = log;
    this.#components = components;
    this.#options = options;
    const replicate = (index: number): Promise<number> => this.#replicate(index);
    const windowMs = options.commitWindowMs ?? 5;
    const lead = new Lead(leadership, log);
    this.#lead = lead;
    countFor(components.store, { isSettledIn: (term) => lead.isSettledIn(term), failure: () => log.failure });
    const appender = new Appender({ log, lead, clock, replicate, windowMs, admit: components.admit });
    this.#feed = new Feed({ log, lead, logger, submit: (id, command) => appender.submit(id, command) });
    this.#proposals = new Proposals<R>({
      log,
      clock,
      timeoutMs: options.proposeTimeoutMs ?? 5000,
      appendHere: (id, command) => (lead.isHeld ? appender.submit(id, command) : undefined),
    });
    this.#reads = new Reads({ readHere: (signal) => (lead.isHeld ? lead.readIndex(signal) : undefined) });
    this.#epochs = new Epochs(leadership, (isNew) => (isNew ? this.#onEpoch() : this.#recount()));
    this.#serving = streams.handle(PROTOCOL, (stream) => this.#feed.serve(stream));
    const { proposals, reads } = { proposals: this.#proposals, reads: this.#reads };
    const follower = new Follower({ streams, clock, logger, log, proposals, reads });
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
    const before = signal.aborted ? GENESIS : await this.#log.positionAt(from - 1);
    if (before === undefined) throw new TruncatedError(this.#log.history.base.index + 1);
    let at: Position = before;
    while (!signal.aborted && (await this.#reach(at.index + 1, signal))) {
      for (const entry of await this.#log.read(at, CHUNK)) {
        if (signal.aborted) return;
        const { index, term, id, command } = entry;
        if (id !== "") yield { index, term, command };
        at = entry;
      }
    }
  }

  async read({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const ended = AbortSignal.any([signal, this.#ended.signal]);
    await this.waitFor(await this.#reads.index(ended), { signal });
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
    this.#feed.stop(new Error("the lead was lost"));
    // What fails here is tried again, and told, with each proposal.
    if (leading && this.#log.failure !== undefined) this.#giveUpLead();
    else if (leading) void this.#lead.take().catch(() => undefined);
    else void this.#log.rest().catch(() => undefined);
    this.#proposals.retry();
    this.#reads.retry();
  }

  /** A leader that cannot write holds everyone up. */
  #giveUpLead(): void {
    const { leadership, logger } = this.#components;
    if (this.#log.failure instanceof ClosedError || !leadership.isAdmin()) return;
    leadership.handOver?.().catch((cause: unknown) => logger.error("lead was not given up", { cause }));
  }

  #recount(): void {
    void this.#lead.recount().catch(() => undefined);
  }

  async #replicate(index: number): Promise<number> {
    const { ackReplicas = 2, replicaWaitMs = 50 } = this.#options;
    const enough = (): boolean =>
      this.#feed.replicas(index) >= Math.min(ackReplicas, 1 + this.#feed.followers);
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
    this.#ended.abort(this.#log.failure);
    this.#giveUpLead();
    this.#proposals.fail(this.#log.failure);
    this.#feed.stop(this.#log.failure);
  }
}
