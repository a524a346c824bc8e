import type { Clock, Logger } from "@chorus/kernel";

/** An answer as JSON: what a port returns is sent as it is. */
export type JsonObject = object;

/** What a submission came to: `committed` on a majority's disks, or honestly only `pending` on this peer's. */
export interface Ack {
  readonly taskId: string;
  readonly status: "committed" | "pending";
  /** Durable copies at the time of the answer. */
  readonly replicas: number;
}

/** One numbered fact in a task's life; the numbers have no gap and are the same at every peer. */
export interface TaskEvent {
  readonly seq: number;
  readonly type: string;
}

/** A piece of a task's output, addressed by attempt and offset. */
export interface OutputChunk {
  readonly attempt: number;
  readonly offset: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** A word with a reason, which the task shows. */
export interface Reasoned {
  readonly reason: string;
  readonly signal: AbortSignal;
}

/** The peer's tasks. `@chorus/coordinator` fits. */
export interface Tasks {
  submit(
    input: unknown,
    options: { readonly principal: string; readonly idempotencyKey: string; readonly signal: AbortSignal },
  ): Promise<Ack>;
  get(id: string): JsonObject | undefined;
  list(filter: {
    readonly limit: number;
    readonly after?: string;
    readonly state?: string;
  }): readonly JsonObject[];
  events(
    id: string,
    options: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncIterable<TaskEvent>;
  output(
    id: string,
    options: { readonly attempt?: number; readonly offset?: number; readonly signal: AbortSignal },
  ): AsyncIterable<OutputChunk>;
  cancel(id: string, options: Reasoned): Promise<JsonObject>;
  pause(id: string, options: Reasoned): Promise<JsonObject>;
  resume(id: string, options: { readonly signal: AbortSignal }): Promise<JsonObject>;
  steer(id: string, options: { readonly text: string; readonly signal: AbortSignal }): Promise<JsonObject>;
  decideEffect(
    id: string,
    options: Reasoned & { readonly key: string; readonly decision: "done" | "repeat" | "abandon" },
  ): Promise<JsonObject>;
}

/** Keeps an uploaded input and answers its address. It must stop reading at its own size limit. */
export interface Inputs {
  store(
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly mediaType: string; readonly signal: AbortSignal },
  ): Promise<{ readonly address: string; readonly size: number; readonly replicas: number }>;
}

/** One health check; `warn` still counts as healthy. */
export interface HealthCheck {
  readonly name: string;
  readonly status: "pass" | "warn" | "fail";
  readonly output?: string;
}

/** What this peer knows about itself and the mesh. */
export interface Peer {
  info(): JsonObject;
  peers(): readonly JsonObject[];
  election(): JsonObject;
  health(): Promise<readonly HealthCheck[]>;
}

/** Another handler served behind the same guard, for example `@chorus/ucxi`. */
export interface Mount {
  /** First path segments it answers, for example `/v1/blocks`. */
  readonly paths: readonly string[];
  fetch(request: Request): Promise<Response>;
}

/** The collaborators. Without `tasks` the peer takes none, and those routes do not exist. */
export interface ApiComponents {
  readonly peer: Peer;
  readonly tasks?: Tasks;
  readonly inputs?: Inputs;
  readonly mounts?: readonly Mount[];
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Who may ask, and how much. */
export interface ApiOptions {
  /** Bearer token for everything but `/health/live`: at least 32 characters. */
  readonly token: string;
  /** Exact `Host` values that are answered, with port: the wall against DNS rebinding. */
  readonly hosts: readonly string[];
  /** Name of the token's holder, recorded as the principal of its tasks. @default "operator" */
  readonly principal?: string;
  /** Largest JSON body. @default 1 MiB */
  readonly maxBodyBytes?: number;
  /** Silence after which a comment keeps a live stream open. @default 15000 */
  readonly heartbeatMs?: number;
}

/** The HTTP surface as one function over web standards. */
export interface Api {
  fetch(request: Request): Promise<Response>;
}
