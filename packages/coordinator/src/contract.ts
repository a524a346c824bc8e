import type { Clock, Logger, PubSub, Signer, Streams } from "@chorus/kernel";
import type { Effector } from "./contract-effects.ts";
import type {
  Boundary,
  EventLogPort,
  Executor,
  LedgerPort,
  Outbox,
  Records,
  Redactor,
  StoragePort,
} from "./contract-ports.ts";
import type { OutputChunk, TaskEvent, TaskId, TaskState, TaskView } from "./contract-task.ts";

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
  /** Where the work was. `after-effect`: one was permitted before, whether it happened is found out afterwards. */
  readonly boundary?: Boundary;
}

/** What a control came to. */
export interface Control {
  readonly taskId: TaskId;
  /** False when the task's state has no such step, `state` tells which. */
  readonly applied: boolean;
  readonly state: TaskState;
  /** Where the work is when it takes hold. */
  readonly boundary?: Boundary;
  /** Why it was not applied. */
  readonly refusal?: string;
}

/** What a person brings who took a task over. */
export interface ManualResult {
  readonly outcome: "succeeded" | "failed";
  readonly reason?: string;
  readonly files?: readonly {
    readonly path: string;
    readonly bytes: Uint8Array;
    readonly mediaType: string;
    /** @default 0o644 */
    readonly mode?: number;
  }[];
}

/** A person's word to a task on its way. All of them need a leader. @throws 'coordinator/unknown-task' */
export interface TaskControls {
  /** Nothing new begins; the lease of a run is kept. */
  pause(id: string, options: Reasoned): Promise<Control>;
  /** Goes on; also answers a question without a word. */
  resume(id: string, options: { readonly signal: AbortSignal }): Promise<Control>;
  /** Says something to whoever works on it; answers a question. 1 to 2000 characters. */
  steer(id: string, options: { readonly text: string; readonly signal: AbortSignal }): Promise<Control>;
  /** Fences whoever holds the task and holds it here, until it is finished or handed back. */
  takeover(id: string, options: Reasoned): Promise<Control>;
  /** Brings what a person did after {@link takeover} at this peer; it goes the way of every run. */
  finish(id: string, result: ManualResult, options: { readonly signal: AbortSignal }): Promise<Control>;
  /** Lets a task go that was taken over at this peer; no attempt is used up. */
  handBack(id: string, options: Reasoned): Promise<Control>;
  /**
   * A person's word on an effect that waits for one: it happened, it shall be made (again), it shall not, which ends
   * the task as failed. What was agreed to is one payload: other bytes are asked for anew.
   */
  decideEffect(
    id: string,
    options: Reasoned & { readonly key: string; readonly decision: "done" | "repeat" | "abandon" },
  ): Promise<Control>;
}

interface Reasoned {
  readonly reason: string;
  readonly signal: AbortSignal;
}

/** One peer's part in the mesh's tasks: takes them in, runs some, shows all. */
export interface Coordinator extends TaskControls, AsyncDisposable {
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
  /** Waiting that raises a task's priority by one, among those that this peer may claim. @default 60000 */
  readonly ageMs?: number;
  /** How long `submit` waits for the ledger before it answers `pending`. @default 3000 */
  readonly submitWaitMs?: number;
  /** Where running tasks' output is kept beyond `outputMemoryBytes`; without it the oldest output is lost. */
  readonly outputDirectory?: string;
  /** Output of one attempt kept in memory. @default 1 MiB */
  readonly outputMemoryBytes?: number;
}

/** The collaborators. The coordinator owns none of them and disposes of none. */
export interface Components {
  readonly ledger: LedgerPort;
  readonly executor: Executor;
  /** What may act outside; a task that declares another kind is not claimed here. @default none */
  readonly effectors?: readonly Effector[];
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
