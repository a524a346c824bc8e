import type {
  Branded,
  Canonical,
  Cid,
  Clean,
  Clock,
  Logger,
  PeerId,
  PubSub,
  Signer,
  Streams,
} from "@chorus/kernel";

// ── Tasks ────────────────────────────────────────────────────────────────────────────────────────────────

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

// ── The coordinator ──────────────────────────────────────────────────────────────────────────────────────

/** What a submission came to. */
export interface Ack {
  readonly taskId: TaskId;
  /** `pending`: kept on this peer's disk and offered to the ledger until it takes it. */
  readonly status: "committed" | "pending";
  /** Durable copies at the time of the answer; 1 when pending. */
  readonly replicas: number;
}

/** What a cancellation came to: a commit that was ordered before it wins. */
export interface Cancellation {
  readonly taskId: TaskId;
  readonly canceled: boolean;
  readonly state: TaskState;
}

/** One peer's part in the mesh's tasks: takes them in, runs some, shows all. */
export interface Coordinator extends AsyncDisposable {
  /**
   * Takes a task in. Durable on this peer before it answers; the same principal and key give the same task at
   * every peer. Cancelling the call does not take back what is already kept.
   * @throws 'coordinator/invalid-task' | 'coordinator/conflict'
   */
  submit(
    input: unknown,
    options: { readonly principal: string; readonly idempotencyKey: string; readonly signal: AbortSignal },
  ): Promise<Ack>;
  get(id: string): TaskView | undefined;
  /** Newest first. `after` is the id of the last task of the page before. @default limit 50, at most 500 */
  list(filter?: {
    readonly state?: string;
    readonly limit?: number;
    readonly after?: string;
  }): readonly TaskView[];
  /**
   * Events from number `from` (default 1) on, live; ends after the last event of a task.
   * @throws 'coordinator/unknown-task'
   */
  events(
    id: string,
    options: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncIterable<TaskEvent>;
  /**
   * Output from byte `offset` (default 0) of `attempt` (default: the current one) on, live, from whichever peer
   * has it; ends with the attempt.
   * @throws 'coordinator/unknown-task' | 'coordinator/output-lost'
   */
  output(
    id: string,
    options: { readonly attempt?: number; readonly offset?: number; readonly signal: AbortSignal },
  ): AsyncIterable<OutputChunk>;
  /** Orders a cancellation. @throws 'coordinator/unknown-task', or the ledger's error when it has no leader */
  cancel(
    id: string,
    options: { readonly reason: string; readonly signal: AbortSignal },
  ): Promise<Cancellation>;
}

/** How this peer takes part. */
export interface CoordinatorOptions {
  readonly cluster: string;
  /** Tasks run at once; 0 takes part but runs nothing. */
  readonly capacity: number;
  /**
   * What tasks may require: `isolation:container`, `isolation:simulated`, `language:python`, `language:*` …
   * DESIGN.md says how requirements map.
   */
  readonly capabilities: readonly string[];
  /** Silence after which this peer's leases may be taken from it. @default 5000 */
  readonly leaseMs?: number;
  /** Head start of each peer over the next one in line for a claim. @default 100 */
  readonly claimStepMs?: number;
  /** How long `submit` waits for the ledger before it answers `pending`. @default 3000 */
  readonly submitWaitMs?: number;
  /** Where running tasks' output is kept beyond `outputMemoryBytes`; without it the oldest output is lost. */
  readonly outputDirectory?: string;
  /** Output of one attempt kept in memory. @default 1 MiB */
  readonly outputMemoryBytes?: number;
}

// ── Ports ────────────────────────────────────────────────────────────────────────────────────────────────

/** The collaborators. The coordinator owns none of them and disposes of none. */
export interface Components {
  readonly ledger: LedgerPort;
  readonly executor: Executor;
  readonly redactor: Redactor;
  readonly records: Records;
  readonly eventLog: EventLogPort;
  readonly storage: StoragePort;
  readonly pubsub: PubSub;
  readonly streams: Streams;
  readonly signer: Signer;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
}

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
  /** Resolves when this peer has applied the entry. */
  waitFor(index: number, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** All tasks, as the ledger's entries so far made them. Owned by the ledger: read it, do not keep it. */
export interface TaskTable {
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  /** Ids in the order of submission. */
  readonly order: readonly TaskId[];
}

/** One task in the ledger's state; never changed in place, so it may be kept. */
export interface TaskRecord extends Omit<TaskView, "lastSeq"> {
  readonly events: readonly TaskEvent[];
  /** Peers that held a lease, oldest first. */
  readonly holders: readonly PeerId[];
  /** Decides whether a second submission is the same one. */
  readonly specBytes: Uint8Array;
  /** Progress facts taken in this attempt. */
  readonly progressed: number;
  /** The lease under which it was completed. */
  readonly finishedBy?: Token;
}

/** What the ledger's state machine made of a command. */
export type CommandResult =
  | { readonly status: "applied"; readonly taskId: TaskId; readonly state: TaskState; readonly seq: number }
  | { readonly status: "refused"; readonly refusal: Refusal; readonly state?: TaskState };

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
  | "too-much-progress";

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
      readonly signal: AbortSignal;
    },
  ): Promise<RunResult>;
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
export interface RunSummary extends Omit<RunResult, "artifacts" | "retryable"> {
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
  remove(taskId: TaskId): Promise<void>;
  /** Oldest first. */
  list(): Promise<readonly OutboxEntry[]>;
}

/** One submission: the sealed command, exactly as it will be proposed. */
export interface OutboxEntry {
  readonly taskId: TaskId;
  readonly command: Uint8Array;
}
