import type { Clock, Logger, PeerId } from "@chorus/kernel";
import { Applied, type Outcome } from "./applied.ts";
import { type Draft, GENESIS, type Position } from "./chain.ts";
import type { LogStore, StateMachine, StoredEntry } from "./contract.ts";
import {
  type Effect,
  type Input,
  lastOf,
  positionOf,
  type Refusal,
  start,
  type State,
} from "./core/state.ts";
import { isSettled } from "./core/leading.ts";
import { step } from "./core/step.ts";
import { ClosedError, CorruptError, DiskFullError, NoLeaderError, ProtocolError } from "./errors.ts";
import { readAfter } from "./log-reader.ts";

const CHUNK = 256;
/** A commit index that no write has taken along is written alone after this. */
const NOTE_MS = 500;

interface LogPorts<S, R> {
  readonly store: LogStore;
  readonly machine: StateMachine<S, R>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Outcomes that are remembered, from the end. */
  readonly window: number;
  /** The election's highest term at this peer; undefined where there are no elections. */
  readonly elected: (() => number) | undefined;
}

/** What a follower has to say to its leader after a step. */
export type Reply = Effect & { kind: "ask" | "acknowledge" };

type StoreEffect = Effect & { kind: "store" };

/** The stored log and the state it makes. It feeds one input at a time to {@link step} and does what it says. */
export class Log<S, R> {
  readonly #ports: LogPorts<S, R>;
  readonly #applied: Applied<S, R>;
  readonly #waiting = new Set<() => void>();
  readonly #closing = new AbortController();
  #core: State;
  /** The commit index on the disk. */
  #noted: Pick<Position, "index" | "term"> = GENESIS;
  #noteDue = false;
  #failure: Error | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(ports: LogPorts<S, R>) {
    this.#ports = ports;
    this.#applied = new Applied(ports.machine, ports.window);
    this.#core = start({ fixed: ports.elected === undefined, committed: GENESIS, tail: [] });
  }

  get state(): S {
    return this.#applied.state;
  }

  /** The last applied entry. */
  get applied(): Position {
    return this.#applied.position;
  }

  /** The end on this disk, committed or not. */
  get last(): Position {
    return lastOf(this.#core);
  }

  get uncommitted(): number {
    return this.#core.tail.length;
  }

  /** Why nothing can be written any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  outcome(id: string): Outcome<R> | undefined {
    return this.#applied.outcome(id);
  }

  /** True while this log is the leader's in that term. */
  leads(term: number): boolean {
    return this.#failure === undefined && this.#core.role === "leader" && this.#core.term === term;
  }

  /** True when all that older terms committed is known to be committed here: a leader knows with its own first entry. */
  isOpenIn(term: number): boolean {
    return this.leads(term) && (this.#core.fixed || this.applied.term === term);
  }

  /** True when the voters may change: see {@link isSettled}. */
  isSettledIn(term: number): boolean {
    return this.leads(term) && isSettled(this.#core);
  }

  /** Replays what is stored. A damaged log is kept as it is, readable up to the damage. */
  async open(): Promise<void> {
    const { store } = this.#ports;
    const tail: StoredEntry[] = [];
    try {
      const [last, committed] = [await store.last(), await store.committed()];
      if (committed > last) throw new CorruptError("committed entries are missing", last + 1);
      for (let at: Position = this.applied; at.index < last; at = tail.at(-1) ?? this.applied) {
        const entries = await readAfter(store, at, CHUNK);
        this.#applied.apply(entries.filter(({ index }) => index <= committed));
        tail.push(...entries.filter(({ index }) => index > committed));
      }
    } catch (error) {
      this.fail(error);
    }
    this.#noted = this.applied;
    this.#core = start({ fixed: this.#core.fixed, committed: this.applied, tail });
  }

  /** Begins to lead. @throws NoLeaderError when the term is over, or behind this log */
  async lead(self: PeerId, term: number): Promise<void> {
    if (!this.leads(term))
      await this.#advance(() => ({ kind: "lead", self, term, elected: this.#elected() }));
  }

  /** Ends to lead or to follow. */
  async rest(): Promise<void> {
    await this.#advance(() => ({ kind: "rest" }));
  }

  /** The configuration in force. */
  async count(voters: readonly PeerId[]): Promise<void> {
    const known = this.#core.voters;
    if (known.length !== voters.length || voters.some((peer) => !known.includes(peer)))
      await this.#advance(() => ({ kind: "voters", voters, elected: this.#elected() }));
  }

  /** Appends as the leader. @returns each draft's index, once it is on this disk; a name that is here keeps its index */
  append(drafts: readonly Draft[], term: number): Promise<readonly number[]> {
    return this.#exclusive(async () => {
      if (!this.leads(term)) throw new NoLeaderError("the lead was lost");
      const known = new Map(this.#core.tail.map(({ id, index }) => [id, index]));
      const indexOf = (id: string): number | undefined => known.get(id) ?? this.outcome(id)?.index;
      const fresh = drafts.filter(({ id }) => indexOf(id) === undefined);
      for (const [i, { id }] of fresh.entries()) known.set(id, this.last.index + 1 + i);
      if (fresh.length > 0) await this.#step({ kind: "append", drafts: fresh });
      return drafts.map(({ id }) => indexOf(id) ?? 0);
    });
  }

  /** A follower's disk has this leader's log up to an index. */
  async copied(by: PeerId, term: number, index: number): Promise<void> {
    await this.#advance(() => ({ kind: "copied", by, term, index }));
  }

  /** Begins a conversation with a leader. */
  follow(term: number): Promise<readonly Reply[]> {
    return this.#advance(() => ({ kind: "follow", term, elected: this.#elected() }));
  }

  rewind(term: number): Promise<readonly Reply[]> {
    return this.#advance(() => ({ kind: "rewind", term }));
  }

  /** Takes entries from the leader. @throws ProtocolError when they do not continue what was compared */
  accept(term: number, entries: readonly StoredEntry[], committed: number): Promise<readonly Reply[]> {
    return this.#advance(() => ({ kind: "entries", term, entries, committed, elected: this.#elected() }));
  }

  /** Checked entries after a position, applied ones only. */
  async read(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    const available = Math.min(limit, this.applied.index - after.index);
    if (available <= 0) return [];
    try {
      return await readAfter(this.#ports.store, after, available);
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Entries after a position, those included that are not committed yet. */
  async readAll(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    const { committed, tail } = this.#core;
    const skipped = after.index - committed.index;
    return skipped < 0 ? this.read(after, limit) : tail.slice(skipped, skipped + limit);
  }

  /** Where this log stood at an index, undefined beyond its end. */
  async positionAt(index: number): Promise<Position | undefined> {
    if (index === 0) return GENESIS;
    if (index > this.last.index) return undefined;
    const recent = positionOf(this.#core, index);
    if (recent !== undefined) return recent;
    const [entry] = await this.#ports.store.read(index, 1);
    if (entry === undefined) throw this.fail(new CorruptError("an entry is missing", index));
    return entry;
  }

  /** Resolves when something was appended or applied, the role changed, or nothing ever will be. */
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
        : new CorruptError("the store or the machine failed", this.applied.index + 1, error);
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
    this.#closing.abort(new ClosedError());
    if (this.#noted.index < this.#core.committed.index)
      await this.#exclusive(() => this.#note()).catch(() => undefined);
    this.fail(new ClosedError());
    await this.#writing;
    this.#wake();
  }

  #elected(): number {
    return this.#ports.elected?.() ?? 0;
  }

  #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(() => {
      if (this.#failure) throw this.#failure;
      return action();
    });
    this.#writing = result.catch(() => undefined);
    return result;
  }

  /** @param input made when its turn has come, so that it holds the term of that moment */
  #advance(input: () => Input): Promise<readonly Reply[]> {
    return this.#exclusive(() => this.#step(input()));
  }

  async #step(input: Input): Promise<readonly Reply[]> {
    const { state, effects } = step(this.#core, input);
    const write = effects.find((effect) => effect.kind === "store");
    if (write !== undefined) await this.#write(write);
    if (write?.committed === state.committed.index) this.#noted = state.committed;
    this.#core = state;
    const replies: Reply[] = [];
    for (const effect of effects) {
      if (effect.kind === "refuse") throw this.#refusal(effect.problem);
      if (effect.kind === "apply") this.#apply(effect.entries);
      if (effect.kind === "ask" || effect.kind === "acknowledge") replies.push(effect);
    }
    if (write !== undefined)
      replies.push(...(await this.#step({ kind: "stored", elected: this.#elected() })));
    if (state.committed.term > this.#noted.term) await this.#note();
    else if (state.committed.index > this.#noted.index) this.#noteLater();
    this.#wake();
    return replies;
  }

  #apply(entries: readonly StoredEntry[]): void {
    try {
      this.#applied.apply(entries);
    } catch (error) {
      throw this.fail(error);
    }
  }

  async #write({ keep, entries, committed }: StoreEffect): Promise<void> {
    const { store } = this.#ports;
    try {
      if (keep < this.last.index) {
        await store.truncateAfter(keep);
        const { tail, committed: end } = this.#core;
        this.#core = { ...this.#core, tail: tail.slice(0, keep - end.index) };
      }
      await store.append(entries, committed);
    } catch (error) {
      // A disk that failed once may have kept anything (fsync says so only once): a restart reads what is there.
      throw error instanceof DiskFullError ? error : this.fail(error);
    }
  }

  /** Writes the commit index alone. */
  async #note(): Promise<void> {
    const { committed } = this.#core;
    if (committed.index <= this.#noted.index && committed.term <= this.#noted.term) return;
    await this.#write({ kind: "store", keep: this.last.index, entries: [], committed: committed.index });
    this.#noted = committed;
  }

  /** Commits follow each other closely, and the next entries take the index along. */
  #noteLater(): void {
    if (this.#noteDue) return;
    this.#noteDue = true;
    const { signal } = this.#closing;
    void this.#ports.clock
      .sleep(NOTE_MS, { signal })
      .then(() => {
        this.#noteDue = false;
        return this.#exclusive(() => this.#note());
      })
      // A full disk: the next write takes it along. Anything else has made the log read-only.
      .catch(() => undefined);
  }

  #refusal(problem: Refusal): Error {
    const { logger } = this.#ports;
    switch (problem) {
      case "the term is behind the log":
        logger.error("admin's term is behind its own log", { log: this.last.term });
        return new NoLeaderError(problem);
      case "a newer term is known":
      case "this peer does not lead":
        return new NoLeaderError(problem);
      case "committed entries differ":
        return this.fail(
          new CorruptError("the admin's log does not contain what is committed here", this.applied.index),
        );
      case "this peer does not follow that leader":
      case "an entry does not continue the log":
        return new ProtocolError(problem);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
