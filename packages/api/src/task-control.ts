import { Refusal } from "./body.ts";
import type { JsonObject, Tasks } from "./contract.ts";

const ACTIONS = ["cancel", "pause", "resume", "steer"] as const;
type Action = (typeof ACTIONS)[number];

/** A person's word to a task. */
export interface Control {
  readonly action: Action;
  /** Why; for `steer` what is said. */
  readonly text: string;
}

interface Problem {
  readonly pointer: string;
  readonly detail: string;
}

/** @throws Refusal naming every wrong field */
export function readControl(body: unknown): Control {
  const map =
    typeof body === "object" && body !== null ? new Map(Object.entries(body)) : new Map<string, unknown>();
  const action = ACTIONS.find((name) => name === map.get("action"));
  const field = action === "steer" ? "text" : "reason";
  const text: unknown = map.get(field) ?? "";
  const errors = [...actionProblems(action), ...textProblems(field, text), ...unknownFields(map, field)];
  if (errors.length > 0 || action === undefined || typeof text !== "string")
    throw new Refusal({ status: 422, code: "invalid-control", title: "The control is not valid", errors });
  return { action, text };
}

function actionProblems(action: Action | undefined): readonly Problem[] {
  const names = ACTIONS.map((name) => `"${name}"`).join(", ");
  return action === undefined ? [{ pointer: "/action", detail: `must be one of ${names}` }] : [];
}

function textProblems(field: "text" | "reason", text: unknown): readonly Problem[] {
  const [least, most] = field === "text" ? [1, 2000] : [0, 500];
  if (typeof text === "string" && text.length >= least && text.length <= most) return [];
  return [{ pointer: `/${field}`, detail: `must be text of ${least} to ${most} characters` }];
}

function unknownFields(map: ReadonlyMap<string, unknown>, field: string): readonly Problem[] {
  const unknown = [...map.keys()].filter((key) => key !== "action" && key !== field);
  return unknown.map((key) => ({ pointer: `/${key}`, detail: "is unknown" }));
}

/** What the task answers names the boundary at which it took hold. */
export function carryOut(
  tasks: Tasks,
  id: string,
  { action, text, signal }: Control & { readonly signal: AbortSignal },
): Promise<JsonObject> {
  const reasoned = { reason: text, signal };
  switch (action) {
    case "cancel":
      return tasks.cancel(id, reasoned);
    case "pause":
      return tasks.pause(id, reasoned);
    case "resume":
      return tasks.resume(id, { signal });
    case "steer":
      return tasks.steer(id, { text, signal });
  }
}
