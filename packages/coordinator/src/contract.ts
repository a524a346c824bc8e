import type { Clock, Logger, PubSub, Signer, Streams } from "@chorus/kernel";
import type {
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
