import { setImmediate } from "node:timers/promises";
import { type Canonical, encodeCanonical, equalBytes, errorCode, InvalidInputError } from "@chorus/kernel";
import { type Batcher, batcher } from "./batcher.ts";
import { openCheckpoint, parseOrigin, signCheckpoint } from "./checkpoint.ts";
import type {
  Appended,
  Checkpoint,
  EventLog,
  EventLogComponents,
  EventLogOptions,
  LogEntry,
  LogReport,
} from "./contract.ts";
import { auditRows, damaged, nodeReader, readEntries } from "./entries.ts";
import { EventLogError } from "./errors.ts";
import { news } from "./news.ts";
import type { Guard, LogStore, Row } from "./store.ts";
import {
  auditPath,
  consistencyPath,
  emptyFrontier,
  extend,
  type Frontier,
  frontierOf,
  leafHash,
  type NodeReader,
  rootOf,
} from "./tree.ts";

const MAX_APPEND_EVENTS = 4096;
const MAX_BATCH_EVENTS = 4096;
const MAX_PROBLEMS = 100;
/** Rows held in memory while reading. */
const PAGE_ROWS = 64;

/** What a log is made of, whatever it is kept in. It owns the store and the guard. */
export interface LogParts extends EventLogComponents {
  readonly store: LogStore;
  readonly guard: Guard;
}

/** Checks what is there and starts. Damage that leaves entries readable gives a read-only log, and is logged. */
export async function openLog(parts: LogParts, options: Omit<EventLogOptions, "file">): Promise<EventLog> {
  const log = new Log(parts, options);
  await log.start();
  return log;
}

class Log implements EventLog {
  readonly #parts: LogParts;
  readonly #origin: string;
  readonly #maxEventBytes: number;
  readonly #appends: Batcher<readonly Uint8Array[], Appended>;
  readonly #news = news();
  readonly #node: NodeReader;
  #frontier: Frontier = emptyFrontier;
  #head: Checkpoint | undefined;
  /** Why the log is read-only. */
  #fault: EventLogError | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: LogParts, options: Omit<EventLogOptions, "file">) {
    const { origin, commitWindowMs = 0, maxEventBytes = 65_536 } = options;
    this.#parts = parts;
    this.#node = nodeReader(parts.store);
    this.#origin = parseOrigin(origin);
    this.#maxEventBytes = maxEventBytes;
    this.#appends = batcher({
      run: (batch) => this.#commit(batch),
      weigh: (events) => events.length,
      limit: MAX_BATCH_EVENTS,
      pause: async () => {
        if (commitWindowMs > 0) await parts.clock.sleep(commitWindowMs);
      },
    });
  }

  async start(): Promise<void> {
    const { guard, logger } = this.#parts;
    try {
      this.#head = await this.#readHead();
      this.#frontier = this.#readFrontier(this.#head);
      const known = await guard.known();
      if (known !== undefined) this.#compare(known);
      else if (this.#head.size > 0)
        logger.warn("event log has lost its guard file", { size: this.#head.size });
      if (this.#fault === undefined) guard.raise(this.#head);
    } catch (error) {
      const isUnreadable = errorCode(error) === "event-log/bad-checkpoint";
      this.#condemn(isUnreadable ? damaged("the checkpoint is unreadable", error) : error);
    }
  }

  async #readHead(): Promise<Checkpoint> {
    const { store, signer } = this.#parts;
    const note = store.note();
    if (note !== undefined || store.size() > 0) return this.#openOwn(note ?? "");
    return signCheckpoint(signer, { origin: this.#origin, size: 0, root: rootOf(emptyFrontier) });
  }

  #readFrontier(head: Checkpoint): Frontier {
    const size = this.#parts.store.size();
    if (size !== head.size) throw damaged(`${size} of ${head.size} entries are there`);
    const frontier = frontierOf(size, this.#node);
    if (!equalBytes(rootOf(frontier), head.root)) throw damaged("the tree does not have its root");
    return frontier;
  }

  async append(events: readonly Canonical[], { signal }: { signal?: AbortSignal } = {}): Promise<Appended> {
    this.#assertWritable();
    if (events.length < 1 || events.length > MAX_APPEND_EVENTS)
      throw new InvalidInputError("events", `must be a list of 1–${MAX_APPEND_EVENTS}`);
    const encoded = events.map((event, i) => this.#encode(event, `events/${i}`));
    return this.#appends.add(encoded, signal);
  }

  async *read(options: Parameters<EventLog["read"]>[0] = {}): AsyncGenerator<LogEntry, void, undefined> {
    const { live = false, signal } = options;
    const range = this.#rangeOf(options);
    let next = range.from;
    while (next < range.to) {
      signal?.throwIfAborted();
      if (live && this.#closing !== undefined) return;
      const page = this.#page(next, range.to);
      if (page.length === 0 && !live) return;
      if (page.length === 0) await this.#news.next(signal);
      for (const entry of page) {
        signal?.throwIfAborted();
        yield entry;
      }
      next += page.length;
    }
  }

  head(): Checkpoint {
    if (this.#head === undefined) throw this.#fault ?? new EventLogError("closed");
    return this.#head;
  }

  async prove(seq: number, size: number): Promise<readonly Uint8Array[]> {
    this.#assertOpen();
    if (!isCount(size) || size > this.head().size) throw new InvalidInputError("size", "is not in the log");
    if (!isCount(seq) || seq >= size) throw new InvalidInputError("seq", "is not below size");
    return this.#watch(() => auditPath(seq, size, this.#node));
  }

  async consistency(a: number, b: number): Promise<readonly Uint8Array[]> {
    this.#assertOpen();
    if (!isCount(b) || b > this.head().size) throw new InvalidInputError("b", "is not in the log");
    if (!isCount(a) || a < 1 || a > b) throw new InvalidInputError("a", "must be from 1 to b");
    return this.#watch(() => consistencyPath(a, b, this.#node));
  }

  async verify({ signal }: { signal?: AbortSignal } = {}): Promise<LogReport> {
    this.#assertOpen();
    const { store } = this.#parts;
    const head = this.#head;
    const size = this.#readable();
    const problems: string[] = [];
    let frontier = emptyFrontier;
    try {
      problems.push(...store.problems());
      while (frontier.size < size && problems.length < MAX_PROBLEMS) {
        signal?.throwIfAborted();
        this.#assertOpen();
        const rows = store.rows(frontier.size, Math.min(PAGE_ROWS, size - frontier.size));
        if (rows.length === 0) throw damaged(`entry ${frontier.size} is missing`);
        frontier = auditRows(rows, frontier, problems);
        await setImmediate();
      }
      if (head === undefined) problems.push("the checkpoint is unreadable");
      else if (frontier.size === size && !equalBytes(rootOf(frontier), head.root))
        problems.push("the entries do not give the root of the checkpoint");
    } catch (error) {
      if (errorCode(error) !== "event-log/corrupt") throw error;
      problems.push(problemOf(error));
    }
    const [first] = problems;
    if (first !== undefined) this.#condemn(damaged(first));
    return { checked: frontier.size, size, problems: problems.slice(0, MAX_PROBLEMS) };
  }

  async confirm(note: string): Promise<void> {
    this.#assertOpen();
    const known = await this.#openOwn(note);
    this.#assertOpen();
    this.#compare(known);
    if (known.size > this.head().size) this.#parts.guard.raise(known, { durable: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What was taken on is finished first. */
  async #close(): Promise<void> {
    this.#news.announce();
    await this.#appends.idle();
    this.#parts.store.close();
    this.#parts.guard.close();
  }

  /** The tree is extended and signed in memory first: between here and the commit nothing of it can leave. */
  async #commit(batch: readonly (readonly Uint8Array[])[]): Promise<Appended[]> {
    const { store, guard, signer, logger } = this.#parts;
    const rows: Row[] = [];
    const firsts: number[] = [];
    let frontier = this.#frontier;
    for (const events of batch) {
      firsts.push(frontier.size);
      for (const bytes of events) {
        const extended = extend(frontier, leafHash(bytes));
        rows.push({ seq: frontier.size, bytes, nodes: new Uint8Array(Buffer.concat(extended.nodes)) });
        frontier = extended.frontier;
      }
    }
    const { size } = frontier;
    const checkpoint = await signCheckpoint(signer, { origin: this.#origin, size, root: rootOf(frontier) });
    if (this.#fault) throw this.#fault;
    this.#watch(() => store.commit(rows, checkpoint.note));
    this.#frontier = frontier;
    this.#head = checkpoint;
    try {
      guard.raise(checkpoint);
    } catch (error) {
      // The entries are on disk: failing now would make the caller append them twice.
      logger.warn("event log could not update its guard file", { problem: problemOf(error) });
    }
    this.#news.announce();
    return firsts.map((first) => ({ first, size, checkpoint }));
  }

  #encode(event: Canonical, path: string): Uint8Array {
    const bytes = encodeCanonical(event);
    if (bytes.length > this.#maxEventBytes)
      throw new InvalidInputError(path, `${bytes.length} bytes are over the limit of ${this.#maxEventBytes}`);
    return bytes;
  }

  #openOwn(note: string): Promise<Checkpoint> {
    return openCheckpoint(note, { origin: this.#origin, peer: this.#parts.signer.peer });
  }

  #readable(): number {
    return this.#head?.size ?? this.#parts.store.size();
  }

  #rangeOf({ from = 0, to, live = false }: { from?: number; to?: number; live?: boolean }): {
    from: number;
    to: number;
  } {
    const end = to ?? (live ? Number.MAX_SAFE_INTEGER : this.#readable());
    if (!isCount(from)) throw new InvalidInputError("from", "must be a count");
    if (!isCount(end)) throw new InvalidInputError("to", "must be a count");
    return { from, to: end };
  }

  /** What there is of entries `from` to `to − 1`, a page at most. */
  #page(from: number, to: number): LogEntry[] {
    this.#assertOpen();
    const end = Math.min(to, this.#readable(), from + PAGE_ROWS);
    return end <= from ? [] : this.#watch(() => readEntries(this.#parts.store, from, end));
  }

  /** Holds a promise of this log against what it has. */
  #compare(known: Checkpoint): void {
    const head = this.head();
    if (known.size > head.size) {
      this.#condemn(new EventLogError("behind", { detail: { size: head.size, promised: known.size } }));
      return;
    }
    const root = this.#watch(() => rootOf(frontierOf(known.size, this.#node)));
    if (equalBytes(root, known.root)) return;
    this.#condemn(new EventLogError("forked", { detail: { size: known.size } }));
    this.#parts.guard.accuse([known.note, head.note]);
  }

  #watch<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (errorCode(error) === "event-log/corrupt") this.#condemn(error);
      throw error;
    }
  }

  /** Makes the log read-only, once; an error that is no verdict on the log is thrown on. */
  #condemn(error: unknown): void {
    if (!(error instanceof EventLogError) || error.retryable) throw error;
    if (this.#fault !== undefined) return;
    this.#fault = error;
    this.#parts.logger.error("event log is read-only", { code: error.code, ...error.detail });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new EventLogError("closed");
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (this.#fault !== undefined) throw this.#fault;
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function problemOf(error: unknown): string {
  if (error instanceof EventLogError && typeof error.detail["problem"] === "string")
    return error.detail["problem"];
  return error instanceof Error ? error.message : "unknown";
}
