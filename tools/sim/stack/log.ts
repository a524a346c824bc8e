import type { Host } from "@chorus/sim";
import {
  type Effect,
  GENESIS,
  type Input,
  lastOf,
  type LogPosition,
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
export type Reply = Effect & { kind: "ask" | "acknowledge" };

interface LogPorts {
  readonly rules: Rules;
  readonly flushesAtOpen: boolean;
  /** The election's highest saved term. */
  readonly elected: () => number;
  /** Called in the log's order, for entries without a command too. */
  readonly apply: (entry: StoredEntry) => void;
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
  readonly #committed: StoredEntry[] = [];
  readonly #turns: Turn[] = [];
  #busy = false;
  #noted: LogPosition = GENESIS;
  #noteDue = false;

  constructor(host: Host<Wire>, ports: LogPorts) {
    this.#host = host;
    this.#ports = ports;
    this.#disk = new LogDisk(host.disk);
    const { entries, committed } = this.#disk.open();
    // What a process left that died in its flush may be in the cache alone: it must not count before it is durable.
    if (ports.flushesAtOpen) {
      host.disk.sync();
      ports.flushed(0, entries);
    }
    const end = entries[committed - 1] ?? GENESIS;
    this.core = start({ fixed: false, committed: positionAt(end), tail: entries.slice(committed) });
    this.last = lastOf(this.core);
    this.#noted = end;
    for (const entry of entries.slice(0, committed)) this.#applyOne(entry);
  }

  /** Committed entries and those behind them, from an index on. */
  entriesFrom(index: number, limit: number): readonly StoredEntry[] {
    const { committed, tail } = this.core;
    const skipped = index - 1 - committed.index;
    if (skipped >= 0) return tail.slice(skipped, skipped + limit);
    const old = this.#committed.slice(index - 1, index - 1 + limit);
    return old.length < limit ? [...old, ...tail.slice(0, limit - old.length)] : old;
  }

  /** The checksum of the entry at an index, undefined beyond the end. */
  checksumAt(index: number): Uint8Array | undefined {
    if (index === 0) return GENESIS.checksum;
    return index > lastOf(this.core).index ? undefined : this.entriesFrom(index, 1)[0]?.checksum;
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
    const at = effects.findIndex(({ kind }) => kind === "store");
    const write = effects[at];
    if (write?.kind !== "store") {
      this.core = state;
      this.#perform(effects, turn);
      return;
    }
    this.#perform(effects.slice(0, at), { ...turn, done: nothing });
    this.#write(write, turn, () => {
      this.core = state;
      this.last = lastOf(state);
      if (write.committed === state.committed.index) this.#noted = state.committed;
      this.#perform(effects.slice(at + 1), { ...turn, done: nothing });
      this.#step({ kind: "stored", elected: this.#ports.elected() }, turn);
    });
  }

  /** A flush takes its time, in which the election goes on. */
  #write({ keep, entries, committed }: StoreEffect, turn: Turn, then: () => void): void {
    try {
      if (keep < lastOf(this.core).index) this.#cut(keep);
      this.#disk.write({ keep, entries, committed });
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
      this.#ports.flushed(keep, entries);
      then();
      this.#run();
    });
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
      if (effect.kind === "ask" || effect.kind === "acknowledge") reply(effect);
    }
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
