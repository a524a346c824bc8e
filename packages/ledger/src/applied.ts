import { GENESIS, type Position } from "./chain.ts";
import type { StateMachine, StoredEntry } from "./contract.ts";

/** What became of a proposal. */
export interface Outcome<R> {
  readonly index: number;
  readonly term: number;
  readonly result: R;
}

/** What the committed entries have come to: the machine's state, and the outcomes by name. A function of the log. */
export class Applied<S, R> {
  readonly #machine: StateMachine<S, R>;
  readonly #window: number;
  readonly #outcomes = new Map<string, Outcome<R>>();
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

  #applyOne({ index, term, id, command }: Omit<StoredEntry, "checksum">): void {
    const { state, result } = this.#machine.apply(this.#state, { index, term, command });
    this.#state = state;
    this.#outcomes.set(id, { index, term, result });
    if (this.#outcomes.size > this.#window) this.#outcomes.delete(this.#outcomes.keys().next().value ?? "");
  }
}
