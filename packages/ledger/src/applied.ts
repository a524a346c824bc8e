import { createHash } from "node:crypto";
import { GENESIS, type Position } from "./chain.ts";
import type { SnapshotHead, SnapshotPart, StateMachine, StoredEntry } from "./contract.ts";
import { CorruptError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";
import { outcomesOf, partsOf, type Pieces, sizeOf } from "./snapshot.ts";

/** A position, and the parts of a snapshot there. */
export interface Captured {
  readonly at: Position;
  readonly parts: Iterable<SnapshotPart>;
}

/** A snapshot that was read: what {@link Applied} becomes with it. */
export interface Restored<S, R> {
  readonly head: SnapshotHead;
  readonly size: number;
  readonly state: S;
  readonly outcomes: Map<string, Outcome<R>>;
}

/** What the committed entries have come to: the machine's state, and the outcomes by name. A function of the log. */
export class Applied<S, R> {
  readonly #machine: StateMachine<S, R>;
  readonly #window: number;
  #outcomes = new Map<string, Outcome<R>>();
  #state: S;
  #position: Position = GENESIS;

  /** @param window outcomes that are remembered, from the end */
  constructor(machine: StateMachine<S, R>, window: number) {
    this.#machine = machine;
    this.#window = window;
    this.#state = machine.initial();
  }

  get state(): S {
    return this.#state;
  }

  /** The last applied entry. */
  get position(): Position {
    return this.#position;
  }

  outcome(id: string): Outcome<R> | undefined {
    return this.#outcomes.get(id);
  }

  apply(entries: readonly StoredEntry[]): void {
    for (const { index, term, id, command, checksum } of entries) {
      // Without a name it is the ledger's own: it opened a term.
      if (id !== "") this.#applyOne({ index, term, id, command });
      this.#position = { index, term, checksum };
    }
  }

  /** What a snapshot of now is made of; undefined when the machine makes none. */
  capture(): Captured | undefined {
    const state = this.#machine.restore && this.#machine.snapshot?.(this.#state);
    if (state === undefined) return undefined;
    return { at: this.#position, parts: partsOf(this.#position, new Map(this.#outcomes), state) };
  }

  /** Makes a state of pieces that are whole. @throws CorruptError */
  restore(head: SnapshotHead, pieces: Pieces): Restored<S, R> {
    try {
      if (this.#machine.restore === undefined) throw new TypeError("the machine restores nothing");
      const outcomes = outcomesOf<R>(pieces.outcomes);
      const state = this.#machine.restore(pieces.state);
      return { head, size: sizeOf(pieces), state, outcomes };
    } catch (cause) {
      throw new CorruptError("the snapshot cannot be restored", head.index, cause);
    }
  }

  become({ head: { index, term, checksum }, state, outcomes }: Restored<S, R>): void {
    this.#position = { index, term, checksum };
    this.#state = state;
    this.#outcomes = outcomes;
  }

  #applyOne({ index, term, id, command }: Omit<StoredEntry, "checksum">): void {
    const { state, result } = this.#machine.apply(this.#state, { index, term, command });
    this.#state = state;
    this.#outcomes.set(id, { index, term, result, digest: digestOf(command) });
    if (this.#outcomes.size > this.#window) this.#outcomes.delete(this.#outcomes.keys().next().value ?? "");
  }
}

/** Tells commands apart. */
export function digestOf(command: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(command).digest());
}
