import type { Branded, Cid, PeerId } from "@chorus/kernel";

/** base32 (lower case, 52 characters) of SHA-256(principal ‖ 0x00 ‖ idempotencyKey): the same at every peer. */
export type TaskId = Branded<"TaskId">;

/** What is asked for. `parseTask` alone makes it; see there for limits. */
export interface TaskSpec {
  /** What should be true when the task is done; 1 to 4096 characters. */
  readonly goal: string;
  /** A UCXL name. @default "default" */
  readonly project: string;
  /** A UCXL name for the task's part of the decision address; without it, the start of the task's id. */
  readonly name?: string;
  /** Run in order; the first failure ends the run unless it is allowed. At most 32. */
  readonly commands?: readonly CommandSpec[];
  /** What the run may read. At most 16. */
  readonly inputs?: readonly InputSpec[];
  readonly requirements?: Requirements;
  /** How often the task may be started before it is a dead letter; 1 to 10. @default 3 */
  readonly attempts: number;
  /** Free words for people and tools, at most 16; they change nothing. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** One shell command. */
export interface CommandSpec {
  /** For `sh -c`; 1 to 8192 characters. */
  readonly run: string;
  readonly allowFailure?: boolean;
  readonly timeoutMs?: number;
}

/** One input: `source` and `change` have a meaning to the engine, other names are the task's own. */
export interface InputSpec {
  readonly name: string;
  /** `ucxl://<cid>` */
  readonly address: string;
  readonly mediaType: string;
}

/** What a worker must offer. */
export interface Requirements {
  readonly language?: string;
  readonly image?: string;
  /** `container` asks for real isolation; `simulated` is content with less. */
  readonly isolation?: "simulated" | "container";
  readonly memoryBytes?: number;
  /** Whole processors: the canonical encoding has no fractions. */
  readonly cpus?: number;
  readonly timeoutMs?: number;
}

/**
 * `submitted` is a task that this peer keeps but the ledger has not ordered yet; all other states are the same
 * at every peer. DESIGN.md has the diagram.
 */
export type TaskState =
  | "submitted"
  | "ready"
  | "leased"
  | "working"
  | "completed"
  | "failed"
  | "canceled"
  | "dead-letter";

/** The fencing token: the place of a claim in the ledger. Strictly increasing over all claims of a task. */
export interface Token {
  readonly term: number;
  readonly index: number;
}

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
  /** Claims so far. */
  readonly attempt: number;
  readonly lease?: Lease;
  readonly result?: TaskResult;
  /** Why it ended without a result, or why the last attempt was given up. */
  readonly reason?: Reason;
  /** Number of the newest event. */
  readonly lastSeq: number;
}

/** One ordered fact in a task's life: same numbers, same content, at every peer. */
export type TaskEvent = EventHead &
  (
    | { readonly type: "task-submitted"; readonly principal: string; readonly goal: string }
    | {
        readonly type: "task-claimed";
        readonly token: Token;
        readonly attempt: number;
        readonly ttlMs: number;
      }
    | { readonly type: "task-progressed"; readonly attempt: number; readonly step: Progress }
    | { readonly type: "task-released"; readonly attempt: number; readonly reason: Reason }
    | { readonly type: "task-completed"; readonly attempt: number; readonly result: TaskResult }
    | { readonly type: "task-failed"; readonly attempt: number; readonly result: TaskResult }
    | { readonly type: "task-canceled"; readonly reason: Reason }
    | { readonly type: "task-dead-lettered"; readonly attempt: number; readonly reason: Reason }
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
