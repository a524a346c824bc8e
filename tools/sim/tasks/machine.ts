import type { taskMachine } from "@chorus/coordinator";
import { decodeCanonical, encodeCanonical, type Canonical } from "@chorus/kernel";

export type Machine = ReturnType<typeof taskMachine>;
export type Tasks = ReturnType<Machine["initial"]>;
export type Task = NonNullable<ReturnType<Tasks["tasks"]["get"]>>;
export type Entry = Parameters<Machine["apply"]>[1];
export type Result = ReturnType<Machine["apply"]>["result"];

/** Planted defects: each takes one promise away, so that its invariant must notice. */
export const mutants: Readonly<Record<string, (machine: Machine) => Machine>> = {
  /** Whoever asks acts under the current lease: no fencing. */
  "ignore-token": (machine) => ({
    ...machine,
    apply: (state, entry) =>
      machine.apply(state, { ...entry, command: withCurrentLease(state, entry.command) }),
  }),
  /** Tokens come from a counter that restarts, as after a lost disk. */
  "restart-tokens": (machine) => ({
    ...machine,
    apply: (state, entry) => machine.apply(state, { ...entry, term: 1, index: entry.index % 23 }),
  }),
  /** An acknowledged task is dropped now and then. */
  "lose-task": (machine) => ({
    ...machine,
    apply(state, entry) {
      const [oldest] = state.order;
      if (entry.index % 41 === 0 && oldest !== undefined) state.tasks.delete(oldest);
      return machine.apply(state, entry);
    },
  }),
  /** The second of two commits is taken as well. */
  "commit-twice": (machine) => ({
    ...machine,
    apply(state, entry) {
      const before = [...state.tasks];
      const applied = machine.apply(state, entry);
      for (const [id, task] of before) {
        const now = state.tasks.get(id);
        if (now !== task && now?.state === "completed" && task.lease)
          state.tasks.set(id, { ...now, state: "working", lease: task.lease });
      }
      return applied;
    },
  }),
};

/** The same command with the token and the sender that the current lease wants. */
function withCurrentLease(state: Tasks, command: Uint8Array): Uint8Array {
  const outer = mapOf(decodeCanonical(command));
  const message = mapOf(bytesOf(outer["message"]));
  const body = mapOf(message["body"]);
  const lease = [...state.tasks.values()].find(({ id }) => id === body["task"])?.lease;
  if (lease === undefined || body["token"] === undefined) return command;
  const { term, index } = lease.token;
  const changed = { ...message, from: lease.holder, body: { ...body, token: { term, index } } };
  return encodeCanonical({ ...outer, message: encodeCanonical(changed) });
}

function bytesOf(value: Canonical | undefined): Canonical {
  return value instanceof Uint8Array ? decodeCanonical(value) : null;
}

function mapOf(value: Canonical | undefined): { readonly [key: string]: Canonical } {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
    return {};
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Array.isArray does not narrow readonly arrays
  return value as { readonly [key: string]: Canonical };
}
