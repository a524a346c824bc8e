import { type Cid, parseCid, parsePeerId, type PeerId } from "@chorus/kernel";
import { z } from "zod";
import type { TaskId } from "./contract-task.ts";
import { effectCommandSchemas } from "./effects/effect-commands.ts";
import { isTaskId } from "./task-id.ts";
import { specSchema } from "./task-spec.ts";

export const count = z.int().min(0);
const taskId = z.custom<TaskId>(isTaskId);
const cid = z.custom<Cid>((value) => holds(() => parseCid(value)));
export const peerId = z.custom<PeerId>((value) => holds(() => parsePeerId(value)));
const token = z.strictObject({ term: count, index: count });
const text = z.string().max(1024);
const address = z.string().max(1024);
const ttlMs = z.int().min(100).max(600_000);
const session = z.string().min(1).max(64);
const reason = z.strictObject({ code: z.string().max(64), message: z.string().max(1024) });
const quarantined = z.strictObject({
  path: z.string().max(4096),
  rules: z.array(z.string().max(64)).max(16),
});
const artifact = z.strictObject({
  path: z.string().max(4096),
  mode: count,
  cid,
  size: count,
  mediaType: z.string().max(255),
});
const result = z.strictObject({
  outcome: z.enum(["succeeded", "failed"]),
  reason: z.string().max(1024).exactOptional(),
  decision: z.strictObject({ address, cid, signatures: cid }),
  manifest: cid,
  artifacts: z.array(artifact),
  artifactCount: count,
  quarantined: z.array(quarantined),
  quarantinedCount: count,
  redactions: count,
  replicas: count,
  degraded: z.boolean(),
});
const step = z.strictObject({
  phase: z.string().max(64),
  message: z.string().max(512),
  step: count.exactOptional(),
  steps: count.exactOptional(),
});

/** One command of any type, as it comes out of an envelope. */
export const commandSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("task-submit"),
    principal: z.string().min(1).max(256),
    key: z.string().min(1).max(255),
    spec: specSchema,
  }),
  z.strictObject({
    type: z.literal("task-claim"),
    task: taskId,
    capabilities: z.array(z.string().max(64)).max(64),
    ttlMs,
    session,
  }),
  z.strictObject({ type: z.literal("task-renew"), task: taskId, token }),
  z.strictObject({ type: z.literal("task-progress"), task: taskId, token, step }),
  z.strictObject({ type: z.literal("task-complete"), task: taskId, token, result }),
  z.strictObject({ type: z.literal("task-fail"), task: taskId, token, reason }),
  z.strictObject({ type: z.literal("task-cancel"), task: taskId, reason: text }),
  z.strictObject({
    type: z.literal("task-expire"),
    task: taskId,
    token,
    renewal: count,
    cause: z.enum(["lapsed", "holder-gone", "holder-restarted"]),
  }),
  z.strictObject({
    type: z.literal("task-ask"),
    task: taskId,
    token,
    for: z.enum(["input", "auth"]),
    question: text,
  }),
  z.strictObject({ type: z.literal("task-pause"), task: taskId, reason: text }),
  z.strictObject({ type: z.literal("task-resume"), task: taskId }),
  z.strictObject({
    type: z.literal("task-steer"),
    task: taskId,
    id: z.string().min(1).max(64),
    text: z.string().min(1).max(2000),
  }),
  z.strictObject({ type: z.literal("task-takeover"), task: taskId, reason: text, ttlMs, session }),
  z.strictObject({ type: z.literal("task-hand-back"), task: taskId, token, reason: text }),
  z.strictObject({ type: z.literal("task-overdue"), task: taskId }),
  z.strictObject({ type: z.literal("task-evidence"), task: taskId, token, address, cid }),
  ...effectCommandSchemas({ taskId, token }),
]);

function holds(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
