import { decodeCommand } from "./command.ts";
import type { CommandResult, TaskRecord } from "./contract-ports.ts";
import type { TaskId } from "./contract-task.ts";
import { reduceTask, subjectOf } from "./reduce-task.ts";

/** The state of {@link TaskMachine}. It is changed in place: a copy of 100,000 tasks per entry would be the cost. */
export interface Tasks {
  readonly tasks: Map<string, TaskRecord>;
  readonly order: TaskId[];
}

/** What the ledger runs at every peer; fits the `StateMachine` of `@chorus/ledger`. */
export interface TaskMachine {
  initial(): Tasks;
  /** Takes over the state it is given; the caller goes on with the one that is returned. Never throws. */
  apply(
    state: Tasks,
    entry: { readonly index: number; readonly term: number; readonly command: Uint8Array },
  ): { readonly state: Tasks; readonly result: CommandResult };
}

/**
 * The tasks of one mesh as a ledger state machine: deterministic, synchronous, without a clock. It trusts that a
 * command is signed by its sender; DESIGN.md says who checks.
 */
export function taskMachine(options: { readonly cluster: string }): TaskMachine {
  return {
    initial: () => ({ tasks: new Map(), order: [] }),
    apply(state, { index, term, command: bytes }) {
      const sealed = decodeCommand(bytes, options.cluster);
      if (sealed === undefined) return { state, result: { status: "refused", refusal: "malformed" } };
      const { command, from, ts } = sealed;
      const id = subjectOf(command);
      const before = state.tasks.get(id);
      const { task, result } = reduceTask(before, command, { index, term, from, ts });
      if (task !== undefined) state.tasks.set(id, task);
      if (task !== undefined && before === undefined) state.order.push(id);
      return { state, result };
    },
  };
}
