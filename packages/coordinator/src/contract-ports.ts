import type { Canonical, Cid, Clean, PeerId } from "@chorus/kernel";
import type { EffectRecord } from "./contract-effects.ts";
import type {
  ArtifactRef,
  Lease,
  Progress,
  TaskEvent,
  TaskId,
  TaskSpec,
  TaskState,
  TaskView,
  Token,
} from "./contract-task.ts";

/** The one order of facts that all peers share. Its state machine is `taskMachine`. */
export interface LedgerPort {
  /** @throws an error with `retryable: true` when nobody can order it now; it may have been ordered even so */
  propose(
    command: Uint8Array,
    options: { readonly signal: AbortSignal },
  ): Promise<{
    readonly index: number;
    readonly term: number;
    readonly replicas: number;
    readonly result: CommandResult;
  }>;
  state(): TaskTable;
  appliedIndex(): number;
  /** Committed entries from index `from` on, then live. */
  entries(options: {
    readonly from: number;
    readonly signal: AbortSignal;
  }): AsyncIterable<{ readonly index: number; readonly term: number; readonly command: Uint8Array }>;
  /** Resolves when `state` has everything that was committed anywhere before the call. */
  read?(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resolves when this peer has applied the entry. */
  waitFor(index: number, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** All tasks, as the ledger's entries so far made them. Owned by the ledger: read it, do not keep it. */
export interface TaskTable {
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  /** Ids in the order of submission. */
  readonly order: readonly TaskId[];
  /** Who depends on a task, also on one that is not known yet. */
  readonly dependents: ReadonlyMap<string, readonly TaskId[]>;
}

/** One task in the ledger's state; never changed in place, so it may be kept. */
export interface TaskRecord extends Omit<TaskView, "lastSeq" | "waitingFor"> {
  readonly events: readonly TaskEvent[];
  /** Peers that held a lease, oldest first. */
  readonly holders: readonly PeerId[];
  /** Decides whether a second submission is the same one. */
  readonly specBytes: Uint8Array;
  /** Progress facts taken in this attempt. */
  readonly progressed: number;
  /** The lease under which it was completed. */
  readonly finishedBy?: Token;
  /** Attempts that could not be carried out; at `spec.attempts` the task is a dead letter. */
  readonly failures: number;
  /** How long the next claim waits, counted at each peer from when it applied entry `index`. */
  readonly retry?: { readonly waitMs: number; readonly index: number };
  /** What a paused task goes back to. */
  readonly pausedFrom?: TaskState;
}

/** What the ledger's state machine made of a command. */
export type CommandResult =
  | {
      readonly status: "applied";
      readonly taskId: TaskId;
      readonly state: TaskState;
      readonly seq: number;
      /** Where the work is when a control takes hold. */
      readonly boundary?: Boundary;
      /** What an intent came to. */
      readonly effect?: EffectRecord;
      /** An earlier holder may have acted already: find out first. */
      readonly resolveFirst?: true;
    }
  | { readonly status: "refused"; readonly refusal: Refusal; readonly state?: TaskState };

/**
 * Where the work is when a control takes hold: `queued` nobody works on it; `at-once` the run is stopped or fenced now;
 * `between-commands` the command that runs is the last one for now; `before-effect` no further effect is permitted;
 * `after-effect` one was permitted before, whether it happened is found out afterwards.
 */
export type Boundary = "queued" | "at-once" | "between-commands" | "before-effect" | "after-effect";

/** Why a command changed nothing. */
export type Refusal =
  /** Not a command of ours, or not well-formed. */
  | "malformed"
  | "unknown-task"
  /** Another task has this principal and key. */
  | "conflict"
  /** The task's state has no such transition, for example a claim of a task that is not ready. */
  | "not-possible"
  /** The token is not the current one, or the sender does not hold it. */
  | "fenced"
  /** The holder gave a sign of life after what the proposer of the expiry had seen. */
  | "renewed"
  /** The claimer does not offer what the task requires. */
  | "not-capable"
  /** The attempt has told enough. */
  | "too-much-progress"
  /** The task is paused: nothing new may begin. */
  | "paused"
  /** Its deadline is later than the sender's clock. */
  | "not-due"
  /** The list is full: steering, evidence. */
  | "too-many"
  /** An effect was permitted and has no receipt. */
  | "effects-open"
  /** The task declares no such slot, or not so often, or for another target. */
  | "not-declared"
  /** The effect's state has no such step. */
  | "effect-settled";

/** Runs the work. Must stop soon after `signal` fires. `@chorus/engine` fits. */
export interface Executor {
  /**
   * A run that came to an end is a result, whether it succeeded or not. A throw, or a failure that says
   * `retryable`, means that the run could not be carried out: another attempt follows while there are any.
   */
  execute(
    task: { readonly id: string; readonly spec: TaskSpec },
    options: {
      readonly attempt: number;
      readonly onOutput: (chunk: {
        readonly stream: "stdout" | "stderr";
        readonly bytes: Clean<Uint8Array>;
      }) => void;
      readonly onProgress: (step: Progress) => void;
      /** What people say meanwhile. An executor that ignores it cannot be paused. */
      readonly control?: ExecutorControl;
      readonly signal: AbortSignal;
    },
  ): Promise<RunResult>;
}

/** A running attempt's ear, asked between commands. */
export interface ExecutorControl {
  readonly paused: boolean;
  /** What people said so far, oldest first. */
  steering(): readonly string[];
  /** Resolves at once unless the task is paused, else when it goes on. Rejects when `signal` fires. */
  whenRunning(options: { readonly signal: AbortSignal }): Promise<void>;
}

/** What came of a run, as the engine saw it: not yet scanned. */
export interface RunResult {
  readonly outcome: "succeeded" | "failed";
  readonly reason?: string;
  readonly steps: readonly {
    readonly run: string;
    readonly outcome: string;
    readonly exitCode?: number;
    readonly durationMs: number;
    readonly stdoutBytes: number;
    readonly stderrBytes: number;
    readonly summary?: string;
  }[];
  /** @default false */
  readonly retryable?: boolean;
  /** The run cannot go on without a person: the task waits for their word, and no attempt is used up. */
  readonly asks?: { readonly for: "input" | "auth"; readonly question: string };
  /** Secrets that were hidden in the output on its way. @default 0 */
  readonly redactions?: number;
  /** `output.log` must be the concatenation of what `onOutput` was given, so that offsets stay true. */
  readonly artifacts: readonly {
    readonly path: string;
    readonly mode: number;
    readonly bytes: Uint8Array;
    readonly mediaType: string;
  }[];
  readonly isolation: {
    readonly engine: string;
    readonly level: string;
    readonly missing: readonly string[];
  };
  readonly image?: string;
  readonly language?: string;
  readonly recipe?: string;
}

/** The secret scanner; the only maker of `Clean`. `@chorus/shhh` fits. */
export interface Redactor {
  /** Replaces secrets in every string of a JSON-like value. */
  redactValue<T>(value: T): {
    readonly value: Clean<T>;
    readonly findings: readonly { readonly rule: string }[];
  };
  /** Finds secrets in a file; changes nothing. */
  scanBytes(bytes: Uint8Array): readonly { readonly rule: string }[];
  /** Lets bytes without secrets through. @throws 'shhh/blocked' */
  pass(bytes: Uint8Array): Clean<Uint8Array>;
}

/** Makes decision records. `node` implements it with `@chorus/ucxl`, and knows the agent's lane (seq, prev). */
export interface Records {
  decide(draft: DecisionDraft, options: { readonly signal: AbortSignal }): Promise<DecisionRecord>;
}

/** What a decision record is made from; all of it has been scanned. */
export interface DecisionDraft {
  readonly taskId: TaskId;
  readonly project: string;
  /** The task's part of the address: `spec.name`, or the first 48 characters of the id. */
  readonly name: string;
  readonly goal: Clean<string>;
  readonly principal: string;
  readonly lease: Lease;
  readonly result: Clean<RunSummary>;
  /** At most 64; the first one is the manifest, which has them all. */
  readonly evidence: readonly Evidence[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** A run without its files' content. */
export interface RunSummary extends Omit<RunResult, "artifacts" | "retryable" | "asks"> {
  readonly artifacts: readonly ArtifactRef[];
  readonly quarantined: readonly { readonly path: string; readonly rules: readonly string[] }[];
}

/** One stored thing that a record leans on. */
export interface Evidence {
  readonly rel: "log" | "test" | "diff" | "artifact";
  readonly cid: Cid;
  readonly mediaType: string;
  readonly size: number;
}

/** A finished record: canonical bytes whose hash is `cid`, and the signatures beside them. */
export interface DecisionRecord {
  readonly cid: Cid;
  /** The canonical semantic address, `ucxl://project/task/role/agent/@vN`. */
  readonly address: string;
  /** DAG-CBOR. */
  readonly bytes: Uint8Array;
  /** The DSSE bundle. */
  readonly signatures: Uint8Array;
  /** The agent's lane after this record, as the storage's `putHead` takes it. */
  readonly head: Head;
}

/** The newest record of one lane. The storage's own head may have more members. */
export interface Head {
  readonly lane: string;
  readonly seq: number;
  readonly cid: Cid;
}

/** This peer's own append-only history. `@chorus/event-log` fits. */
export interface EventLogPort {
  /** Resolves when the events are on disk. */
  append(events: readonly Canonical[]): Promise<unknown>;
}

/** The mesh's storage. `@chorus/dht-storage` fits. */
export interface StoragePort {
  put(
    bytes: Clean<Uint8Array>,
    options: {
      readonly codec: "dag-cbor" | "raw";
      readonly class: "decision" | "artifact";
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly cid: Cid; readonly replicas: number; readonly degraded: boolean }>;
  get(cid: Cid, options: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined>;
  putHead(head: Head, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/** Durable store of submissions that were accepted but are not ordered yet. `sqliteOutbox(file)` is one. */
export interface Outbox {
  /** Resolves when the entry is on disk. The same id again changes nothing. */
  put(entry: OutboxEntry): Promise<void>;
  /** It may come late to the disk: what is offered once more is recognised. */
  remove(taskId: TaskId): Promise<void>;
  /** Oldest first. */
  list(): Promise<readonly OutboxEntry[]>;
}

/** One submission: the sealed command, exactly as it will be proposed. */
export interface OutboxEntry {
  readonly taskId: TaskId;
  readonly command: Uint8Array;
}
