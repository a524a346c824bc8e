import type { Clock, Logger, PeerId } from "@chorus/kernel";
import { Applied, type Restored } from "./applied.ts";
import { Bell } from "./bell.ts";
import { type Draft, GENESIS, type Position } from "./chain.ts";
import type { LogMark, LogStore, SnapshotHead, StateMachine, StoredEntry } from "./contract.ts";
import { CommitNote } from "./commit-note.ts";
import { isSettled } from "./core/leading.ts";
import {
  type Effect,
  type Input,
  isReply,
  lastOf,
  positionOf,
  type Refusal,
  type Reply,
  start,
  type State,
} from "./core/state.ts";
import { step } from "./core/step.ts";
import { ClosedError, CorruptError, DiskFullError, NoLeaderError, ProtocolError } from "./errors.ts";
import { Fence } from "./fence.ts";
import { Health } from "./health.ts";
import { History } from "./history.ts";
import type { Outcome } from "./outcome.ts";
import { toError } from "./refusals.ts";
import { replay } from "./replay.ts";
import { type SnapshotRules, Snapshots } from "./snapshots.ts";

interface LogPorts<S, R> {
  readonly store: LogStore;
  readonly machine: StateMachine<S, R>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Outcomes that are remembered, from the end. */
  readonly window: number;
  /** The election's highest term at this peer; undefined where there are no elections. */
  readonly elected: (() => number) | undefined;
  readonly snapshots: SnapshotRules;
  readonly founding: () => string | undefined;
}

type StoreEffect = Effect & { kind: "store" };

/** The stored log and the state it makes. It feeds one input at a time to {@link step} and does what it says. */
export class Log<S, R> {
  readonly #ports: LogPorts<S, R>;
  readonly #applied: Applied<S, R>;
  readonly #history: History;
  readonly #snapshots: Snapshots;
  readonly #bell = new Bell();
  readonly #closing = new AbortController();
  readonly #health: Health;
  readonly #note: CommitNote;
  readonly #fence: Fence;
  #core: State;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(ports: LogPorts<S, R>) {
    this.#ports = ports;
    this.#applied = new Applied(ports.machine, ports.window);
    this.#health = new Health({
      ...ports,
      appliedIndex: () => this.applied.index,
      onFailure: () => this.#bell.ring(),
    });
    this.#note = new CommitNote({
      ...ports,
      closing: this.#closing.signal,
      write: () => this.#exclusive(() => this.#writeNote()),
    });
    this.#fence = new Fence({ ...ports, fail: (error) => this.fail(error) });
    this.#history = new History({ store: ports.store, fail: (error) => this.fail(error) });
    this.#snapshots = new Snapshots({
      ...ports,
      rules: ports.snapshots,
      capture: () => this.#applied.capture(),
      markAt: async (index) => (await this.positionAt(index)) ?? this.#history.base,
      install: (head, base) => this.#exclusive(() => this.#replace(head, base)),
      stopping: this.#closing.signal,
      isOver: () => this.failure !== undefined || this.#closing.signal.aborted,
      fail: (error) => this.fail(error),
    });
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

  /** What was removed, and what is in its place. */
  get history(): Pick<History, "base" | "head" | "parts"> {
    return this.#history;
  }

  get uncommitted(): number {
    return this.#core.tail.length;
  }

  /** Why nothing can be written any more. */
  get failure(): Error | undefined {
    return this.#health.failure;
  }

  outcome(id: string): Outcome<R> | undefined {
    return this.#applied.outcome(id);
  }

  /** True while this log is the leader's in that term. */
  leads(term: number): boolean {
    return this.failure === undefined && this.#core.role === "leader" && this.#core.term === term;
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
      await this.#history.open();
      const parts = { store, applied: this.#applied, snapshots: this.#snapshots };
      await replay(parts, this.#history.head, tail);
    } catch (error) {
      this.fail(error);
    }
    this.#note.is(this.applied);
    this.#core = start({ fixed: this.#core.fixed, committed: this.applied, tail });
    this.#snapshots.sweep();
    this.#snapshots.applied([]);
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

  /** The leader offers a snapshot in place of entries that it no longer has. */
  offer(term: number, mark: LogMark): Promise<readonly Reply[]> {
    return this.#advance(() => ({ kind: "offer", term, mark, elected: this.#elected() }));
  }

  /** Puts the leader's snapshot, all of which is staged, in the place of this log. */
  async install(term: number, head: SnapshotHead): Promise<readonly Reply[]> {
    const pieces = await this.#snapshots.received(head);
    return this.#exclusive(() => {
      const { index, term: of, checksum } = head;
      const mark = { index, term: of, checksum };
      const input = { kind: "install", term, mark, elected: this.#elected() } as const;
      return this.#step(input, () => this.#orFail(() => this.#applied.restore(head, pieces)));
    });
  }

  /** Pieces of a snapshot on their way here, and to others. */
  get transfers(): Pick<Snapshots, "begin" | "keep" | "end" | "pin"> {
    return this.#snapshots;
  }

  /** Checked entries after a position, applied ones only. @throws TruncatedError */
  async read(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    const available = Math.min(limit, this.applied.index - after.index);
    return available <= 0 ? [] : this.#history.read(after, available);
  }

  /** Entries after a position, those included that are not committed yet. */
  async readAll(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    const { committed, tail } = this.#core;
    const skipped = after.index - committed.index;
    return skipped < 0 ? this.read(after, limit) : tail.slice(skipped, skipped + limit);
  }

  /** Where this log stood at an index, undefined beyond its end and where that was removed. */
  async positionAt(index: number): Promise<Position | undefined> {
    if (index > this.last.index) return undefined;
    return positionOf(this.#core, index) ?? this.#history.positionAt(index);
  }

  /** Resolves when something was appended or applied, the role changed, or nothing ever will be. */
  changed(signal?: AbortSignal): Promise<void> {
    return this.#bell.rung(signal);
  }

  /** Stops writing for good and raises the alarm once. @returns the first failure */
  fail(error: unknown): Error {
    return this.#health.fail(error);
  }

  /** Waits for the write under way. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError());
    await this.#exclusive(() => this.#writeNote()).catch(() => undefined);
    this.fail(new ClosedError());
    await this.#writing;
    await this.#snapshots.stopped();
    this.#bell.ring();
  }

  #elected(): number {
    return this.#ports.elected?.() ?? 0;
  }

  #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(() => {
      if (this.failure) throw this.failure;
      return action();
    });
    this.#writing = result.catch(() => undefined);
    return result;
  }

  /** @param input made when its turn has come, so that it holds the term of that moment */
  #advance(input: () => Input): Promise<readonly Reply[]> {
    return this.#exclusive(async () => {
      await this.#fence.pass();
      return this.#step(input());
    });
  }

  /** @param snapshot what an `install` effect installs */
  async #step(input: Input, snapshot?: () => Restored<S, R>): Promise<readonly Reply[]> {
    const { state, effects } = step(this.#core, input);
    const written = await this.#carryOut(effects, snapshot);
    if (written === state.committed.index) this.#note.is(state.committed);
    this.#core = state;
    for (const effect of effects) {
      if (effect.kind === "refuse") throw this.#refused(effect.problem);
      if (effect.kind === "apply") this.#apply(effect.entries);
    }
    const replies = effects.filter(isReply);
    if (written !== undefined)
      replies.push(...(await this.#step({ kind: "stored", elected: this.#elected() })));
    if (this.#note.isUrgent(state.committed)) await this.#writeNote();
    else if (this.#note.isBehind(state.committed)) this.#note.later();
    this.#bell.ring();
    return replies;
  }

  /** Does what a step wants on the disk. @returns the commit index that is there then, undefined when it wants nothing */
  async #carryOut(
    effects: readonly Effect[],
    snapshot: (() => Restored<S, R>) | undefined,
  ): Promise<number | undefined> {
    for (const effect of effects) {
      if (effect.kind === "store") {
        await this.#write(effect);
        return effect.committed;
      }
      if (effect.kind === "install") {
        await this.#install(snapshot?.());
        return effect.mark.index;
      }
    }
    return undefined;
  }

  #refused(problem: Refusal): Error {
    if (problem === "the term is behind the log")
      this.#ports.logger.error("admin's term is behind its own log", { log: this.last.term });
    const error = toError(problem, this.applied.index);
    return error instanceof CorruptError ? this.fail(error) : error;
  }

  #apply(entries: readonly StoredEntry[]): void {
    this.#orFail(() => this.#applied.apply(entries));
    this.#history.remember(entries);
    this.#snapshots.applied(entries);
  }

  #orFail<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw this.fail(error);
    }
  }

  async #install(restored: Restored<S, R> | undefined): Promise<void> {
    if (restored === undefined) throw new ProtocolError("there is no snapshot to install");
    await this.#replace(restored.head, restored.head);
    this.#applied.become(restored);
    this.#snapshots.known(restored.size);
  }

  /** The disk holds the snapshot in place of the entries up to `base`. */
  async #replace(head: SnapshotHead, base: LogMark): Promise<void> {
    try {
      await this.#history.install(head, base);
    } catch (error) {
      throw error instanceof DiskFullError ? error : this.fail(error);
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
  async #writeNote(): Promise<void> {
    const { committed } = this.#core;
    if (!this.#note.isBehind(committed)) return;
    await this.#write({ kind: "store", keep: this.last.index, entries: [], committed: committed.index });
    this.#note.is(committed);
  }
}
