import type { Logger } from "@chorus/kernel";
import { type Draft, follows, GENESIS, type Position, seal } from "./chain.ts";
import type { LogStore, StateMachine, StoredEntry } from "./contract.ts";
import { ClosedError, CorruptError, DiskFullError, NoLeaderError, ProtocolError } from "./errors.ts";

const CHUNK = 256;

/** What became of a proposal. */
export interface Outcome<R> {
  readonly index: number;
  readonly term: number;
  readonly result: R;
}

interface LogPorts<S, R> {
  readonly store: LogStore;
  readonly machine: StateMachine<S, R>;
  readonly logger: Logger;
  /** Outcomes that are remembered, from the end. */
  readonly window: number;
}

/** The stored log and the state it makes: one writer at a time, every entry checked against the chain. */
export class Log<S, R> {
  readonly #ports: LogPorts<S, R>;
  readonly #outcomes = new Map<string, Outcome<R>>();
  readonly #waiting = new Set<() => void>();
  #state: S;
  /** The last applied entry. */
  #applied: Position = GENESIS;
  /** Stored and not yet committed. */
  #tail: StoredEntry[] = [];
  #failure: Error | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(ports: LogPorts<S, R>) {
    this.#ports = ports;
    this.#state = ports.machine.initial();
  }

  get state(): S {
    return this.#state;
  }

  get applied(): Position {
    return this.#applied;
  }

  get last(): Position {
    return this.#tail.at(-1) ?? this.#applied;
  }

  /** Why nothing can be written any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  outcome(id: string): Outcome<R> | undefined {
    return this.#outcomes.get(id);
  }

  /** Replays what is stored. A damaged log is kept as it is, readable up to the damage. */
  async open(): Promise<void> {
    const { store } = this.#ports;
    try {
      const [last, committed] = [await store.last(), await store.committed()];
      if (committed > last) throw new CorruptError("committed entries are missing", last + 1);
      while (this.last.index < last) {
        const entries = await this.#readAfter(this.last, CHUNK);
        if (entries.length === 0) throw new CorruptError("an entry is missing", this.last.index + 1);
        this.#tail.push(...entries);
        this.#apply(committed);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** Appends and commits, as the only voter. @returns what became of each draft */
  append(drafts: readonly Draft[], term: number): Promise<readonly Outcome<R>[]> {
    return this.#exclusive(async () => {
      if (term < this.last.term) {
        this.#ports.logger.error("admin's term is behind its own log", { term, log: this.last.term });
        throw new NoLeaderError("the admin's term is behind its log");
      }
      const entries = seal(this.last, term, drafts);
      await this.#store(entries, this.last.index + entries.length);
      return entries.map(({ id }) => {
        const outcome = this.#outcomes.get(id);
        if (outcome === undefined) throw new CorruptError("the machine failed", this.#applied.index + 1);
        return outcome;
      });
    });
  }

  /** Takes entries from the admin. @throws ProtocolError when they do not continue this log */
  accept(entries: readonly StoredEntry[], committed: number): Promise<void> {
    return this.#exclusive(async () => {
      let at = this.last;
      for (const entry of entries) {
        if (!follows(at, entry)) throw new ProtocolError(`entry ${entry.index} does not continue the log`);
        at = entry;
      }
      const upTo = Math.max(this.#applied.index, Math.min(committed, at.index));
      if (entries.length > 0 || upTo > this.#applied.index) await this.#store(entries, upTo);
    });
  }

  /** Commits what the only voter has on its disk: its own disk is the quorum. */
  commitTail(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#tail.length > 0) await this.#store([], this.last.index);
    });
  }

  /** Gives up what was never committed. */
  dropTail(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#ports.store.truncateAfter(this.#applied.index);
      this.#tail = [];
    });
  }

  /** Checked entries after a position, applied ones only. */
  async read(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    const available = Math.min(limit, this.#applied.index - after.index);
    if (available <= 0) return [];
    try {
      const entries = await this.#readAfter(after, available);
      if (entries.length === 0) throw new CorruptError("an entry is missing", after.index + 1);
      return entries;
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Where this log stood at an index, undefined beyond its applied end. */
  async positionAt(index: number): Promise<Position | undefined> {
    if (index === 0) return GENESIS;
    if (index === this.#applied.index) return this.#applied;
    if (index > this.#applied.index) return undefined;
    const [entry] = await this.#ports.store.read(index, 1);
    if (entry === undefined) throw this.fail(new CorruptError("an entry is missing", index));
    return entry;
  }

  /** Resolves when something was applied, or nothing ever will be. */
  changed(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener("abort", done);
    });
  }

  /** Stops writing for good and raises the alarm once. @returns the first failure */
  fail(error: unknown): Error {
    if (this.#failure !== undefined) return this.#failure;
    const failure =
      error instanceof CorruptError || error instanceof ClosedError
        ? error
        : new CorruptError("the store or the machine failed", this.#applied.index + 1, error);
    this.#failure = failure;
    if (failure instanceof CorruptError)
      this.#ports.logger.error("ledger is read-only", {
        code: failure.code,
        ...failure.detail,
        cause: error,
      });
    this.#wake();
    return failure;
  }

  /** Waits for the write under way. */
  async close(): Promise<void> {
    this.fail(new ClosedError());
    await this.#writing;
    this.#wake();
  }

  #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(() => {
      if (this.#failure) throw this.#failure;
      return action();
    });
    this.#writing = result.catch(() => undefined);
    return result;
  }

  async #store(entries: readonly StoredEntry[], committed: number): Promise<void> {
    try {
      await this.#ports.store.append(entries, committed);
      this.#tail.push(...entries);
      this.#apply(committed);
    } catch (error) {
      // A disk that failed once may have kept anything (fsync says so only once): a restart reads what is there.
      throw error instanceof DiskFullError ? error : this.fail(error);
    }
  }

  #apply(committed: number): void {
    const { machine, window } = this.#ports;
    for (;;) {
      const [entry] = this.#tail;
      if (entry === undefined || entry.index > committed) break;
      const { index, term, command, id } = entry;
      const { state, result } = machine.apply(this.#state, { index, term, command });
      this.#state = state;
      this.#outcomes.set(id, { index, term, result });
      if (this.#outcomes.size > window) this.#outcomes.delete(this.#outcomes.keys().next().value ?? "");
      this.#applied = { index, term, checksum: entry.checksum };
      this.#tail.shift();
    }
    this.#wake();
  }

  /** The unharmed entries up to the first damaged one. @throws when that is the very next */
  async #readAfter(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    const { store } = this.#ports;
    const from = after.index + 1;
    // Where a part cannot be read as a whole, its entries are tried one by one.
    const entries = await (limit === 1
      ? store.read(from, 1)
      : store.read(from, limit).catch(() => store.read(from, 1)));
    const sound: StoredEntry[] = [];
    for (const entry of entries) {
      if (!follows(sound.at(-1) ?? after, entry)) break;
      sound.push(entry);
    }
    if (entries.length > 0 && sound.length === 0) throw new CorruptError("an entry is damaged", from);
    return sound;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
