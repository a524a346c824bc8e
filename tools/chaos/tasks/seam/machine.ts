import type { taskMachine } from "@chorus/coordinator";
import { probe } from "../probe.ts";
import { delegate } from "./delegate.ts";
import { readMessage } from "./message.ts";

type Machine = ReturnType<typeof taskMachine>;
type State = ReturnType<Machine["initial"]>;

/** Writes down every event when this peer applies it, those of its own past included. */
export function told(machine: Machine): Machine {
  const written = new Map<string, number>();
  return delegate(machine, {
    apply(state, entry) {
      const outcome = machine.apply(state, entry);
      if (outcome.result.status === "applied") tell(outcome.state, outcome.result.taskId, written);
      return outcome;
    },
    restore(parts) {
      const state = machine.restore(parts);
      for (const id of state.order) tell(state, id, written);
      return state;
    },
  });
}

function tell({ tasks }: State, id: string, written: Map<string, number>): void {
  const { start } = probe();
  const events = tasks.get(id)?.events ?? [];
  for (const event of events.slice(written.get(id) ?? 0)) {
    const shown = probe().has("own-view") && start.label === "1" ? { ...event, at: Date.now() } : event;
    probe().write({ kind: "event", at: probe().at(), peer: start.label, life: start.life, event: shown });
  }
  written.set(id, events.length);
}

/** Planted defect: who was fenced completes even so. */
export function unfenced(machine: Machine): Machine {
  return delegate(machine, {
    apply(state, entry) {
      const outcome = machine.apply(state, entry);
      const { result } = outcome;
      const { type, task = "" } = readMessage(entry.command);
      const record = outcome.state.tasks.get(task);
      if (type !== "task-complete" || record === undefined || result.status === "applied") return outcome;
      const end = record.events.findLast((event) => event.type === "task-completed");
      if (end === undefined) return outcome;
      const events = [...record.events, { ...end, seq: record.events.length + 1 }];
      outcome.state.tasks.set(task, { ...record, events });
      return {
        state: outcome.state,
        result: { status: "applied", taskId: record.id, state: record.state, seq: events.length },
      };
    },
  });
}
