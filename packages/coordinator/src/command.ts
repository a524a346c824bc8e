import {
  type Cid,
  decodeCanonical,
  openEnvelope,
  type PeerId,
  sealEnvelope,
  type Signer,
} from "@chorus/kernel";
import { z } from "zod";
import { canonicalOf } from "./canonical-of.ts";
import { commandSchema, count, peerId } from "./command-schema.ts";
import type { Progress, Reason, TaskId, TaskResult, TaskSpec, Token } from "./contract-task.ts";
import type { EffectCommand } from "./effects/effect-commands.ts";
import { nameOf, Recent } from "./recent.ts";

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
    }
  /** The holder cannot go on without a person. */
  | {
      readonly type: "task-ask";
      readonly task: TaskId;
      readonly token: Token;
      readonly for: "input" | "auth";
      readonly question: string;
    }
  | { readonly type: "task-pause"; readonly task: TaskId; readonly reason: string }
  | { readonly type: "task-resume"; readonly task: TaskId }
  | { readonly type: "task-steer"; readonly task: TaskId; readonly id: string; readonly text: string }
  /** The sender becomes the holder at once, for a person; whoever held it is fenced. */
  | {
      readonly type: "task-takeover";
      readonly task: TaskId;
      readonly reason: string;
      readonly ttlMs: number;
      readonly session: string;
    }
  | {
      readonly type: "task-hand-back";
      readonly task: TaskId;
      readonly token: Token;
      readonly reason: string;
    }
  /** The sender's clock has passed the deadline: its signed `ts` says so. */
  | { readonly type: "task-overdue"; readonly task: TaskId }
  /** What a fenced attempt of the sender made of the task. */
  | {
      readonly type: "task-evidence";
      readonly task: TaskId;
      readonly token: Token;
      readonly address: string;
      readonly cid: Cid;
    }
  | EffectCommand;

/** A command as it stands in the ledger: who said it, and when by their clock. */
export interface SealedCommand {
  readonly command: TaskCommand;
  readonly from: PeerId;
  readonly ts: number;
}

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

const decoded = new Recent<SealedCommand>(2048);
const signed = new Recent<true>(8192);

/**
 * Reads a ledger entry, synchronously and without a clock, so that every peer reads the same.
 * @returns undefined for what is not one of our commands for this mesh
 */
export function decodeCommand(bytes: Uint8Array, cluster: string): SealedCommand | undefined {
  const name = nameOf(bytes, cluster);
  const known = decoded.get(name);
  if (known !== undefined) return known;
  try {
    const outer = outerSchema.parse(decodeCanonical(bytes));
    const { type, from, ts, body, ...message } = messageSchema.parse(decodeCanonical(outer.message));
    if (message.cluster !== cluster) return undefined;
    return decoded.set(name, { command: commandSchema.parse({ ...body, type }), from, ts });
  } catch {
    return undefined;
  }
}

/**
 * Checks what the machine cannot, being synchronous: that the sender signed it. Once for the same bytes: who let an
 * entry in as the leader does not check it again as a follower.
 * @throws kernel's envelope error
 */
export async function admitCommand(bytes: Uint8Array, cluster: string): Promise<void> {
  const name = nameOf(bytes, cluster);
  if (signed.get(name) !== undefined) return;
  await openEnvelope(bytes, cluster);
  signed.set(name, true);
}

/** Bytes that this process signed itself need no check. */
export function ownCommand(bytes: Uint8Array, cluster: string): void {
  signed.set(nameOf(bytes, cluster), true);
}
