import { equalBytes } from "@chorus/kernel";
import type { TaskCommand } from "../command.ts";
import type { TaskRecord } from "../contract-ports.ts";
import { taskIdOf } from "../task-id.ts";
import { specBytesOf } from "../task-spec.ts";
import { joinOf } from "./dependencies.ts";
import { accept, type CommandContext, happen, type Neighbours, type Reduced, refuse } from "./reduced.ts";

/** A new task: ready, blocked behind others, or rejected because it can never run. */
export function submit(
  task: TaskRecord | undefined,
  command: Extract<TaskCommand, { readonly type: "task-submit" }>,
  context: CommandContext & { readonly neighbours: Neighbours },
): Reduced {
  const { principal, key, spec } = command;
  const specBytes = specBytesOf(spec);
  if (task !== undefined)
    return equalBytes(task.specBytes, specBytes) ? accept(task) : refuse(task, "conflict");
  const fresh: TaskRecord = {
    id: taskIdOf(principal, key),
    state: "ready",
    spec,
    principal,
    entry: context.from,
    submittedAt: context.ts,
    attempt: 0,
    failures: 0,
    events: [],
    holders: [],
    specBytes,
    progressed: 0,
  };
  const event = { type: "task-submitted", principal, goal: spec.goal } as const;
  return placed(happen(fresh, context, { state: "ready", event }), context);
}

function placed(
  submitted: Reduced & { readonly task: TaskRecord },
  context: CommandContext & { readonly neighbours: Neighbours },
): Reduced {
  const { task, events } = submitted;
  const { stateOf, closesCycle } = context.neighbours;
  const { dependsOn } = task.spec;
  if (dependsOn === undefined) return submitted;
  const message = "it waits, through its dependencies, for itself";
  const join = closesCycle(task.id, task.spec)
    ? ({ status: "never", reason: { code: "coordinator/dependency-cycle", message } } as const)
    : joinOf(task.spec, stateOf);
  if (join.status === "holds") return submitted;
  const next =
    join.status === "open"
      ? happen(task, context, { state: "blocked", event: { type: "task-blocked", on: dependsOn } })
      : happen(task, context, {
          state: "rejected",
          reason: join.reason,
          event: { type: "task-rejected", reason: join.reason },
        });
  return { ...next, events: [...events, ...next.events] };
}
