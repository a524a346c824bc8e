import { Refusal } from "./body.ts";

const DECISIONS = ["done", "repeat", "abandon"] as const;
const MAX_REASON = 500;

/** A person's word on an effect of which nobody can tell whether it happened, or which waits to be agreed to. */
export interface EffectDecision {
  readonly decision: (typeof DECISIONS)[number];
  readonly reason: string;
}

/** @throws Refusal naming every wrong field */
export function readDecision(body: unknown): EffectDecision {
  const map =
    typeof body === "object" && body !== null ? new Map(Object.entries(body)) : new Map<string, unknown>();
  const decision = DECISIONS.find((name) => name === map.get("decision"));
  const reason: unknown = map.get("reason");
  const isText = typeof reason === "string" && reason.length > 0 && reason.length <= MAX_REASON;
  const unknown = [...map.keys()].filter((key) => key !== "decision" && key !== "reason");
  const errors = [
    ...(decision === undefined
      ? [{ pointer: "/decision", detail: `must be one of ${DECISIONS.join(", ")}` }]
      : []),
    // Whoever decides for others says why: it stands in the task's history.
    ...(isText ? [] : [{ pointer: "/reason", detail: `must be text of 1 to ${MAX_REASON} characters` }]),
    ...unknown.map((key) => ({ pointer: `/${key}`, detail: "is unknown" })),
  ];
  if (errors.length === 0 && decision !== undefined && isText) return { decision, reason };
  throw new Refusal({ status: 422, code: "invalid-decision", title: "The decision is not valid", errors });
}
