import { createHash } from "node:crypto";
import { base32 } from "./base32.ts";
import type { TaskId } from "./contract-id.ts";

/**
 * Names a task by who asks and by their idempotency key, so that two peers that cannot see each other still give
 * one task for one retried request.
 */
export function taskIdOf(principal: string, idempotencyKey: string): TaskId {
  const digest = createHash("sha256").update(`${principal}\0${idempotencyKey}`).digest();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place that makes task ids
  return base32(digest) as TaskId;
}

/** Accepts the one form of an id; anything else names no task. */
export function isTaskId(value: unknown): value is TaskId {
  return typeof value === "string" && /^[a-z2-7]{52}$/.test(value);
}
