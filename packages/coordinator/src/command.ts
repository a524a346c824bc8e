import {
  type Cid,
  decodeCanonical,
  parseCid,
  parsePeerId,
  type PeerId,
  sealEnvelope,
  type Signer,
} from "@chorus/kernel";
import { z } from "zod";
import { canonicalOf } from "./canonical-of.ts";
import type { Progress, Reason, TaskId, TaskResult, TaskSpec, Token } from "./contract-task.ts";
import { isTaskId } from "./task-id.ts";
import { specSchema } from "./task-spec.ts";

/** Why a lease is taken from its holder before it has finished. */
export type ExpiryCause = "lapsed" | "holder-gone" | "holder-restarted";

/** What peers ask the ledger to order: the body of a signed envelope of the same type. */
export type TaskCommand =
  | {
      readonly type: "task-submit";
      readonly principal: string;
      readonly key: string;
      readonly spec: TaskSpec;
    }
  | {
      readonly type: "task-claim";
      readonly task: TaskId;
      readonly capabilities: readonly string[];
      readonly ttlMs: number;
      readonly session: string;
    }
  | { readonly type: "task-renew"; readonly task: TaskId; readonly token: Token }
  | { readonly type: "task-progress"; readonly task: TaskId; readonly token: Token; readonly step: Progress }
  | {
      readonly type: "task-complete";
      readonly task: TaskId;
      readonly token: Token;
      readonly result: TaskResult;
    }
  | { readonly type: "task-fail"; readonly task: TaskId; readonly token: Token; readonly reason: Reason }
  | { readonly type: "task-cancel"; readonly task: TaskId; readonly reason: string }
  | {
      readonly type: "task-expire";
      readonly task: TaskId;
      readonly token: Token;
      /** The newest sign of life that the proposer had seen. */
      readonly renewal: number;
      readonly cause: ExpiryCause;
    };

/** A command as it stands in the ledger: who said it, and when by their clock. */
export interface SealedCommand {
  readonly command: TaskCommand;
  readonly from: PeerId;
  readonly ts: number;
}

const count = z.int().min(0);
const taskId = z.custom<TaskId>(isTaskId);
const cid = z.custom<Cid>((value) => holds(() => parseCid(value)));
const peerId = z.custom<PeerId>((value) => holds(() => parsePeerId(value)));
const token = z.strictObject({ term: count, index: count });
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
  decision: z.strictObject({ address: z.string().max(1024), cid, signatures: cid }),
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

const commandSchema = z.discriminatedUnion("type", [
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
    ttlMs: z.int().min(100).max(600_000),
    session: z.string().min(1).max(64),
  }),
  z.strictObject({ type: z.literal("task-renew"), task: taskId, token }),
  z.strictObject({ type: z.literal("task-progress"), task: taskId, token, step }),
  z.strictObject({ type: z.literal("task-complete"), task: taskId, token, result }),
  z.strictObject({ type: z.literal("task-fail"), task: taskId, token, reason }),
  z.strictObject({ type: z.literal("task-cancel"), task: taskId, reason: z.string().max(1024) }),
  z.strictObject({
    type: z.literal("task-expire"),
    task: taskId,
    token,
    renewal: count,
    cause: z.enum(["lapsed", "holder-gone", "holder-restarted"]),
  }),
]);

/** The part of a sealed envelope that the machine reads; kernel's `openEnvelope` also checks the signature. */
const outerSchema = z.strictObject({ message: z.instanceof(Uint8Array), sig: z.instanceof(Uint8Array) });
const messageSchema = z.object({
  v: z.literal(1),
  type: z.string(),
  from: peerId,
  cluster: z.string(),
  ts: count,
  body: z.record(z.string(), z.unknown()),
});

/** Signs a command in the name of this peer. */
export function sealCommand(
  command: TaskCommand,
  by: { readonly cluster: string; readonly signer: Signer; readonly now: number },
): Promise<Uint8Array> {
  const { type, ...body } = command;
  return sealEnvelope({ type, cluster: by.cluster, body: canonicalOf(body) }, by.signer, by.now);
}

/**
 * Reads a ledger entry, synchronously and without a clock, so that every peer reads the same.
 * @returns undefined for what is not one of our commands for this mesh
 */
export function decodeCommand(bytes: Uint8Array, cluster: string): SealedCommand | undefined {
  try {
    const outer = outerSchema.parse(decodeCanonical(bytes));
    const { type, from, ts, body, ...message } = messageSchema.parse(decodeCanonical(outer.message));
    if (message.cluster !== cluster) return undefined;
    return { command: commandSchema.parse({ ...body, type }), from, ts };
  } catch {
    return undefined;
  }
}

function holds(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
