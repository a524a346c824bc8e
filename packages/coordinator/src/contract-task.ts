import type { Cid, PeerId } from "@chorus/kernel";
import type { EffectRecord } from "./contract-effects.ts";
import type { TaskId } from "./contract-id.ts";
import type { TaskSpec } from "./contract-spec.ts";
import type { Token } from "./contract-token.ts";

export type { TaskId } from "./contract-id.ts";
export type { TaskSpec } from "./contract-spec.ts";
export type { Token } from "./contract-token.ts";

/**
 * `submitted` is a task that this peer keeps but the ledger has not ordered yet; all other states are the same
 * at every peer. DESIGN.md has the diagram.
 */
export type TaskState =
  | "submitted"
  | "blocked"
  | "ready"
  | "leased"
  | "working"
  | "paused"
  | "input-required"
  | "auth-required"
  | "verifying"
  | "completed"
  | "failed"
  | "canceled"
  | "rejected"
  | "expired"
  | "dead-letter";

/** The right to finish one attempt of one task. */
export interface Lease {
  readonly token: Token;
  readonly holder: PeerId;
  /** 1 for the first claim. */
  readonly attempt: number;
  /** Silence after which any peer may have the lease expired. */
  readonly ttlMs: number;
  /** Ledger index of the holder's last sign of life. */
  readonly renewal: number;
  /** Which start of the holder's process claimed it: a restarted holder gives its old leases back. */
  readonly session: string;
  /** A person works under it: it was taken over, and is completed or handed back by that peer. */
  readonly manual?: true;
}

/** Why something ended; both are safe to show. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/** One file a run left behind. */
export interface ArtifactRef {
  readonly path: string;
  /** Unix mode bits. */
  readonly mode: number;
  readonly cid: Cid;
  readonly size: number;
  readonly mediaType: string;
}

/** What the ledger keeps of a finished run: addresses and counts, never content. */
export interface TaskResult {
  readonly outcome: "succeeded" | "failed";
  /** Why the run failed. */
  readonly reason?: string;
  readonly decision: {
    /** `ucxl://project/task/role/agent/@vN` */
    readonly address: string;
    readonly cid: Cid;
    /** The detached signature bundle (raw bytes). */
    readonly signatures: Cid;
  };
  /** The whole result as DAG-CBOR: steps, isolation, every artifact, every quarantined file. */
  readonly manifest: Cid;
  /** The first artifacts, as many as one ledger entry can hold; the manifest has all `artifactCount`. */
  readonly artifacts: readonly ArtifactRef[];
  readonly artifactCount: number;
  /** Files that hold a secret: not stored anywhere. The first of `quarantinedCount`. */
  readonly quarantined: readonly { readonly path: string; readonly rules: readonly string[] }[];
  readonly quarantinedCount: number;
  /** Secrets that were replaced in the result's texts. */
  readonly redactions: number;
  /** The fewest durable copies any stored part of this result has. */
  readonly replicas: number;
  /** True when some part has fewer copies than the storage aims at. */
  readonly degraded: boolean;
}

/** One task as one peer sees it now. */
export interface TaskView {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly spec: TaskSpec;
  /** Who asked. */
  readonly principal: string;
  /** The peer that took the task in. */
  readonly entry: PeerId;
  /** Milliseconds since the epoch, by the entry peer's clock. */
  readonly submittedAt: number;
  /** Claims and takeovers so far. */
  readonly attempt: number;
  readonly lease?: Lease;
  readonly result?: TaskResult;
  /** Why it ended without a result, why the last attempt was given up, or what is asked. */
  readonly reason?: Reason;
  /** What a person said on the way, oldest first; the next command finds it. */
  readonly steering?: readonly Steering[];
  readonly effects?: readonly EffectRecord[];
  /** Decisions of attempts that were fenced: work that lost, kept as evidence. At most 8. */
  readonly superseded?: readonly Superseded[];
  /**
   * What keeps a task from being claimed, as this peer sees it: `task:<id>` of dependencies that are not completed,
   * requirements that no connected peer offers, `capacity` when none runs anything. Absent when nothing is missing.
   */
  readonly waitingFor?: readonly string[];
  /** Number of the newest event. */
  readonly lastSeq: number;
}

/** A person's word to whoever works on the task. */
export interface Steering {
  /** Names it: the same one twice is one. */
  readonly id: string;
  /** 1 to 2000 characters. */
  readonly text: string;
  readonly by: PeerId;
}

/** What a fenced attempt made of the task. */
export interface Superseded {
  readonly token: Token;
  readonly by: PeerId;
  /** `ucxl://project/task/role/agent/@vN` */
  readonly address: string;
  readonly cid: Cid;
}

/** One ordered fact in a task's life: same numbers, same content, at every peer. */
export type TaskEvent = EventHead &
  (
    | { readonly type: "task-submitted"; readonly principal: string; readonly goal: string }
    | { readonly type: "task-blocked"; readonly on: readonly TaskId[] }
    | { readonly type: "task-unblocked" }
    | { readonly type: "task-rejected"; readonly reason: Reason }
    | {
        readonly type: "task-claimed" | "task-taken-over";
        readonly token: Token;
        readonly attempt: number;
        readonly ttlMs: number;
      }
    | { readonly type: "task-progressed"; readonly attempt: number; readonly step: Progress }
    | {
        readonly type: "task-released";
        readonly attempt: number;
        readonly reason: Reason;
        /** Milliseconds that every claimer lets pass, by its own clock, from when it heard of the release. */
        readonly waitMs: number;
      }
    | { readonly type: "task-handed-back"; readonly attempt: number; readonly reason: Reason }
    | { readonly type: "task-paused"; readonly reason: Reason }
    | { readonly type: "task-resumed" }
    | { readonly type: "task-steered"; readonly text: string }
    | { readonly type: "task-asked"; readonly attempt: number; readonly reason: Reason }
    | { readonly type: "task-completed"; readonly attempt: number; readonly result: TaskResult }
    | {
        readonly type: "task-failed";
        readonly attempt: number;
        readonly result?: TaskResult;
        readonly reason?: Reason;
      }
    | { readonly type: "task-canceled"; readonly reason: Reason }
    | { readonly type: "task-expired"; readonly reason: Reason }
    | { readonly type: "task-dead-lettered"; readonly attempt: number; readonly reason: Reason }
    | { readonly type: "task-superseded"; readonly superseded: Superseded }
    | {
        readonly type:
          | "effect-intended"
          | "effect-permitted"
          | "effect-done"
          | "effect-uncertain"
          | "effect-void"
          | "effect-decided";
        readonly effect: EffectRecord;
      }
  );

/** What every event has. */
export interface EventHead {
  readonly taskId: TaskId;
  /** 1, 2, 3 … without a gap. */
  readonly seq: number;
  /** Milliseconds since the epoch, by the clock of `by`. */
  readonly at: number;
  /** The peer that proposed the fact. */
  readonly by: PeerId;
}

/**
 * Where a run stands. It is scanned for secrets and then ordered in the ledger, so it is small and seldom: when
 * a run tells more than the ledger takes, the oldest waiting steps are dropped.
 */
export interface Progress {
  /** What happens, for example `command-started`; at most 64 characters. */
  readonly phase: string;
  /** One line for people; cut after 512 characters. */
  readonly message: string;
  /** Which one of `steps`, from 0. */
  readonly step?: number;
  readonly steps?: number;
}

/** A piece of a run's output, addressed by task, attempt and byte offset. */
export interface OutputChunk {
  readonly attempt: number;
  readonly offset: number;
  /** After the run, output comes from the stored log, which does not tell the streams apart: `stdout`. */
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}
