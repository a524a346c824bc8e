import { admitCommand, decodeCommand } from "../command.ts";
import type { CommandResult, TaskRecord } from "../contract-ports.ts";
import type { TaskId } from "../contract-task.ts";
import { cascade, closesCycle, indexDependencies } from "./dependencies.ts";
import type { CommandContext } from "./reduced.ts";
import { reduceTask, subjectOf } from "./reduce-task.ts";
import { restoreTasks, snapshotTasks } from "./snapshot.ts";
import type { Tasks } from "./tasks.ts";
import { isTerminal } from "./transitions.ts";

/** What the ledger runs at every peer; fits the `StateMachine` of `@chorus/ledger`. */
export interface TaskMachine {
  initial(): Tasks;
  /** Takes over the state it is given; the caller goes on with the one that is returned. Never throws. */
  apply(
    state: Tasks,
    entry: { readonly index: number; readonly term: number; readonly command: Uint8Array },
  ): { readonly state: Tasks; readonly result: CommandResult };
  /** The state in parts of at most 48 KiB; what it needs is taken at the call, each part is made when it is asked for. */
  snapshot(state: Tasks): Iterable<Uint8Array>;
  /** @throws 'coordinator/snapshot-malformed' */
  restore(parts: Iterable<Uint8Array>): Tasks;
  /** For whoever appends: rejects a command that its sender did not sign, which `apply` cannot check. */
  admit(command: Uint8Array): Promise<void>;
}

/**
 * The tasks of one mesh as a ledger state machine: deterministic, synchronous, without a clock. It trusts that a
 * command is signed by its sender; DESIGN.md says who checks.
 */
export function taskMachine(options: { readonly cluster: string }): TaskMachine {
  return {
    initial: () => ({ tasks: new Map(), order: [], dependents: new Map() }),
    apply(state, { index, term, command: bytes }) {
      const sealed = decodeCommand(bytes, options.cluster);
      if (sealed === undefined) return { state, result: { status: "refused", refusal: "malformed" } };
      const { command, from, ts } = sealed;
      const id = subjectOf(command);
      const before = state.tasks.get(id);
      const context = { index, term, from, ts };
      const { task, result } = reduceTask(before, command, { ...context, neighbours: neighboursIn(state) });
      if (task !== undefined && task !== before) put(state, task, { isNew: before === undefined, context });
      return { state, result };
    },
    snapshot: snapshotTasks,
    restore: restoreTasks,
    admit: (command) => admitCommand(command, options.cluster),
  };
}

function put(
  state: Tasks,
  task: TaskRecord,
  { isNew, context }: { readonly isNew: boolean; readonly context: CommandContext },
): void {
  state.tasks.set(task.id, task);
  if (isNew) {
    state.order.push(task.id);
    indexDependencies(state, task);
  }
  if (isTerminal(task.state)) cascade(state, task.id, context);
}

function neighboursIn(state: Tasks) {
  return {
    stateOf: (id: TaskId) => state.tasks.get(id)?.state,
    closesCycle: (id: TaskId, spec: TaskRecord["spec"]) => closesCycle(state, id, spec),
  };
}
