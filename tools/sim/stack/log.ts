import type { Host } from "@chorus/sim";
import {
  type Effect,
  GENESIS,
  type Input,
  lastOf,
  type LogPosition,
  type Position,
  type Refusal,
  type Rules,
  start,
  type State,
  step,
  type StoredEntry,
} from "./ledger-core.ts";
import { LogDisk } from "./log-disk.ts";
import type { Wire } from "./wire.ts";

/** A commit index that no write has taken along is written alone after this, as in the package. */
const NOTE_MS = 500;
/** The slowest flush of a disk that is well, and of one that stalls. */
const FLUSH_MS = 8;
const STALL_MS = 700;
const STALLS = 0.02;

/** Why a step did not happen. */
export type Problem = Refusal | "full";
/** What a follower has to say after a step. */
export type Reply = Effect & { kind: "ask" | "acknowledge" | "fetch" };

interface LogPorts {
  readonly rules: Rules;
  readonly flushesAtOpen: boolean;
  /** The election's highest saved term. */
  readonly elected: () => number;
  /** Called in the log's order, for entries without a command too. */
  readonly apply: (entry: StoredEntry) => void;
  /** A snapshot stands for all entries up to an index. */
  readonly restore: (index: number) => readonly string[];
  /** A snapshot up to an index is all that is on this disk. */
  readonly installed: (index: number) => void;
  /** What is now on this disk, for the onlooker: everything above `keep` is `entries`. */
  readonly flushed: (keep: number, entries: readonly StoredEntry[]) => void;
  /** After each step. */
  readonly changed: () => void;
}

interface Turn {
  readonly make: () => Input | undefined;
  readonly reply: (reply: Reply) => void;
  readonly done: (problem: Problem | undefined) => void;
}

type InstallEffect = Effect & { kind: "install" };
type StoreEffect = Effect & { kind: "store" };

const nothing = (): void => undefined;

/** The stored log of one peer: real rules, a simulated disk, and a driver that does what the package's `Log` does. */
export class StackLog {
  core: State;
  /** Index by the name of the proposal, committed ones only. */
  readonly outcomes = new Map<string, number>();
  /** The end of the log on the disk. */
  last: LogPosition;
  /** Committed entries differ: a person must look. */
  failed = false;
  readonly #host: Host<Wire>;
  readonly #ports: LogPorts;
  readonly #disk: LogDisk;
  /** Committed entries behind the snapshot. */
  #committed: StoredEntry[] = [];
  /** The snapshot's place. */
  #base: Position;
  readonly #snapshotEvery: number;
  readonly #turns: Turn[] = [];
  #busy = false;
  #noted: LogPosition = GENESIS;
  #noteDue = false;

  constructor(host: Host<Wire>, ports: LogPorts) {
    this.#host = host;
    this.#ports = ports;
    this.#disk = new LogDisk(host.disk);
    const { base, entries, committed } = this.#disk.open();
    this.#base = base;
    this.#snapshotEvery = 8 + Math.floor(host.random() * 60);
    // What a process left that died in its flush may be in the cache alone: it must not count before it is durable.
    if (ports.flushesAtOpen) {
      host.disk.sync();
      ports.installed(base.index);
      ports.flushed(base.index, entries);
    }
    const old = entries.filter(({ index }) => index <= committed);
    const end = old.at(-1) ?? base;
    this.core = start({ fixed: false, committed: positionAt(end), tail: entries.slice(old.length) });
    this.last = lastOf(this.core);
    this.#noted = end;
    this.#restore(base.index);
    for (const entry of old) this.#applyOne(entry);
  }

  /** The snapshot's place: what is below is there no more. */
  get base(): Position {
    return this.#base;
  }

  /** Committed entries and those behind them, from an index on. */
  entriesFrom(index: number, limit: number): readonly StoredEntry[] {
    const { committed, tail } = this.core;
    const skipped = index - 1 - committed.index;
    if (skipped >= 0) return tail.slice(skipped, skipped + limit);
    const from = index - 1 - this.#base.index;
    const old = this.#committed.slice(from, from + limit);
    return old.length < limit ? [...old, ...tail.slice(0, limit - old.length)] : old;
  }

  /** The checksum of the entry at an index, undefined beyond the end. */
  checksumAt(index: number): Uint8Array | undefined {
    if (index === this.#base.index) return this.#base.checksum;
    return index < this.#base.index || index > lastOf(this.core).index
      ? undefined
      : this.entriesFrom(index, 1)[0]?.checksum;
  }

  leads(term: number): boolean {
    return !this.failed && this.core.role === "leader" && this.core.term === term;
  }

  /** All that older terms committed is known to be committed here. */
  isOpenIn(term: number): boolean {
    return this.leads(term) && this.core.committed.term === term;
  }

  /** @param make the input, when its turn has come; undefined: there is nothing to do any more */
  feed(make: Turn["make"], done: Turn["done"] = nothing, reply: Turn["reply"] = nothing): void {
    this.#turns.push({ make, done, reply });
    this.#run();
  }

  #run(): void {
    while (!this.#busy && !this.failed) {
      const turn = this.#turns.shift();
      if (turn === undefined) return;
      const input = turn.make();
      if (input === undefined) turn.done(undefined);
      else this.#step(input, turn);
    }
  }

  #step(input: Input, turn: Turn): void {
    const { state, effects } = step(this.core, input, this.#ports.rules);
    const at = effects.findIndex(({ kind }) => kind === "store" || kind === "install");
    const write = effects[at];
    if (write?.kind !== "store" && write?.kind !== "install") {
      this.core = state;
      this.#perform(effects, turn);
      return;
    }
    this.#perform(effects.slice(0, at), { ...turn, done: nothing });
    this.#write(write, turn, () => {
      this.core = state;
      this.last = lastOf(state);
      if (write.kind === "install") this.#installed(write);
      else if (write.committed === state.committed.index) this.#noted = state.committed;
      this.#perform(effects.slice(at + 1), { ...turn, done: nothing });
      this.#step({ kind: "stored", elected: this.#ports.elected() }, turn);
    });
  }

  /** A flush takes its time, in which the election goes on. */
  #write(effect: StoreEffect | InstallEffect, turn: Turn, then: () => void): void {
    try {
      if (effect.kind === "install") this.#replace(effect);
      else this.#add(effect);
    } catch (error) {
      if (!isFull(error)) throw error;
      turn.done("full");
      return;
    }
    this.#busy = true;
    const slowest = this.#host.random() < STALLS ? STALL_MS : FLUSH_MS;
    this.#host.after(Math.ceil(this.#host.random() ** 4 * slowest), () => {
      this.#host.disk.sync();
      this.#busy = false;
      if (effect.kind === "store") this.#ports.flushed(effect.keep, effect.entries);
      then();
      this.#run();
    });
  }

  #add({ keep, entries, committed }: StoreEffect): void {
    if (keep < lastOf(this.core).index) this.#cut(keep);
    this.#disk.write({ keep, entries, committed });
  }

  /** The leader's snapshot stands in the place of the whole log. */
  #replace({ mark }: InstallEffect): void {
    this.#disk.write({ keep: 0, entries: [], committed: mark.index, base: mark });
  }

  #installed({ mark }: InstallEffect): void {
    this.#base = mark;
    this.#committed = [];
    this.#noted = mark;
    this.#restore(mark.index);
    this.#ports.installed(mark.index);
    this.#host.note(`snapshot of ${mark.index} installed`);
  }

  #restore(index: number): void {
    if (index === 0) return;
    for (const [at, id] of this.#ports.restore(index).entries()) if (id !== "") this.outcomes.set(id, at + 1);
  }

  /** What is committed goes into a snapshot, and its entries go. */
  #compact(): void {
    const { committed } = this.core;
    if (this.#busy || committed.index - this.#base.index < this.#snapshotEvery) return;
    try {
      this.#disk.write({
        keep: lastOf(this.core).index,
        entries: [],
        committed: committed.index,
        base: committed,
      });
      this.#host.disk.sync();
      this.#base = committed;
      this.#noted = committed;
      this.#committed = [];
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** What contradicts the leader goes first, in a transaction of its own. */
  #cut(keep: number): void {
    const { tail, committed } = this.core;
    this.#disk.write({ keep, entries: [], committed: 0 });
    this.#host.disk.sync();
    this.#ports.flushed(keep, []);
    this.core = { ...this.core, tail: tail.slice(0, keep - committed.index) };
    this.last = lastOf(this.core);
  }

  #perform(effects: readonly Effect[], { reply, done }: Turn): void {
    const refusal = effects.find((effect) => effect.kind === "refuse");
    if (refusal?.problem === "committed entries differ") this.fail();
    for (const effect of effects) {
      if (effect.kind === "apply") for (const entry of effect.entries) this.#applyOne(entry);
      if (effect.kind === "ask" || effect.kind === "acknowledge" || effect.kind === "fetch") reply(effect);
    }
    this.#compact();
    this.#note();
    done(refusal?.problem);
    this.#ports.changed();
  }

  fail(): void {
    this.failed = true;
    this.#host.note("the log is read-only: committed entries differ");
  }

  #applyOne(entry: StoredEntry): void {
    this.#committed.push(entry);
    if (entry.id !== "") this.outcomes.set(entry.id, entry.index);
    this.#ports.apply(entry);
  }

  #note(): void {
    const { committed } = this.core;
    if (committed.term > this.#noted.term) this.#noteNow();
    else if (committed.index > this.#noted.index && !this.#noteDue) {
      this.#noteDue = true;
      this.#host.after(NOTE_MS, () => {
        this.#noteDue = false;
        if (!this.#busy) this.#noteNow();
      });
    }
  }

  /** A hint: a restart learns the rest from the admin. */
  #noteNow(): void {
    const { committed } = this.core;
    if (committed.index <= this.#noted.index) return;
    try {
      this.#disk.write({ keep: lastOf(this.core).index, entries: [], committed: committed.index });
      this.#host.disk.sync();
      this.#noted = committed;
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }
}

function positionAt({ index, term, checksum }: LogPosition & { readonly checksum: Uint8Array }) {
  return { index, term, checksum };
}

export function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "sim/disk-full";
}
