import { createHash } from "node:crypto";
import type { TaskId } from "./contract-task.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

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

/** RFC 4648, lower case, without padding. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >>> (bits - 5)) & 31];
    held &= 0xff;
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}
