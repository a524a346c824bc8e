import { equalBytes } from "@chorus/kernel";
import type { Entry, Machine, Result, Task, Tasks } from "../tasks/machine.ts";
import type { StoredEntry } from "./ledger-core.ts";

/** What one committed entry changed. */
export interface Step {
  readonly entry: StoredEntry;
  /** Undefined for an entry of the ledger's own. */
  readonly result: Result | undefined;
  /** Tasks as they are now, in the order in which they changed. */
  readonly changed: readonly Task[];
}

/**
 * The one order of the run. Its entries go through the real machine once, however many peers apply them: the records
 * are immutable and the machine is a function of the log, which the end of each run checks with a second machine.
 */
export class History {
  readonly steps: Step[] = [];
  readonly #machine: Machine;
  readonly #changed: Task[] = [];
  #state: Tasks;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#state = machine.initial();
    this.#watch();
  }

  get tasks(): ReadonlyMap<string, Task> {
    return this.#state.tasks;
  }

  /** Takes an entry that some peer applies. @returns undefined when another one is committed at its place */
  take(entry: StoredEntry): { readonly step: Step; readonly isNew: boolean } | undefined {
    const known = this.steps[entry.index - 1];
    if (known !== undefined)
      return equalBytes(known.entry.checksum, entry.checksum) ? { step: known, isNew: false } : undefined;
    if (entry.index !== this.steps.length + 1) return undefined;
    const step = { entry, ...this.#apply(entry) };
    this.steps.push(step);
    return { step, isNew: true };
  }

  /** Whether a second machine makes the same of it all, one that goes on from a snapshot in the middle. */
  isRepeatable(): boolean {
    let again = this.#machine.initial();
    const half = Math.floor(this.steps.length / 2);
    for (const [i, { entry }] of this.steps.entries()) {
      if (i === half) again = this.#machine.restore(this.#machine.snapshot(again));
      if (entry.id !== "") ({ state: again } = this.#machine.apply(again, asEntry(entry)));
    }
    return equalBytes(this.#bytesOf(again), this.#bytesOf(this.#state));
  }

  #bytesOf(state: Tasks): Uint8Array {
    return Buffer.concat([...this.#machine.snapshot(state)]);
  }

  #apply(entry: StoredEntry): Pick<Step, "result" | "changed"> {
    if (entry.id === "") return { result: undefined, changed: [] };
    this.#changed.length = 0;
    const { state, result } = this.#machine.apply(this.#state, asEntry(entry));
    if (state.tasks !== this.#state.tasks) throw new Error("the machine made another table");
    this.#state = state;
    return { result, changed: [...this.#changed] };
  }

  #watch(): void {
    const { tasks } = this.#state;
    const set = tasks.set.bind(tasks);
    const changed = this.#changed;
    tasks.set = (id, task) => {
      if (tasks.get(id) !== task) changed.push(task);
      return set(id, task);
    };
  }
}

function asEntry({ index, term, command }: StoredEntry): Entry {
  return { index, term, command };
}
