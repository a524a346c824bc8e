import { equalBytes, type PeerId } from "@chorus/kernel";
import { decodeCommand, ownCommand, sealCommand, type SealedCommand } from "./command.ts";
import type { Ack } from "./contract.ts";
import type { TaskRecord } from "./contract-ports.ts";
import type { TaskId, TaskSpec, TaskView } from "./contract-task.ts";
import { ConflictError, RefusedError } from "./errors.ts";
import type { Follower, Peer } from "./peer.ts";
import { isRetryable } from "./proposer.ts";
import { Pulse } from "./pulse.ts";
import { refuseSecrets } from "./refuse-secrets.ts";
import { taskIdOf } from "./task-id.ts";
import { parseTask, specBytesOf } from "./task-spec.ts";

/** Pauses between rounds of offering what the ledger has not taken yet. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/** Reasons made once: each `abort()` without one makes an exception with a stack, for every submission. */
const ANSWERED = new Error("the ledger has answered");
const TIMEOUT = new Error("the ledger did not answer in time");

/** Who submits, and how often it counts. */
export interface Submission {
  readonly principal: string;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

interface Kept {
  readonly command: Uint8Array;
  readonly specBytes: Uint8Array;
  readonly view: TaskView;
}

/** The way in: any peer takes tasks and keeps them until the ledger has them, through restarts too. */
export class Entry implements Follower {
  readonly #peer: Peer;
  readonly #kept = new Map<TaskId, Kept>();
  /** On their way to the disk: a second submission under the same key must already see them. */
  readonly #arriving = new Map<TaskId, { readonly specBytes: Uint8Array; readonly kept: Promise<void> }>();
  readonly #work = new Pulse();

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** Takes up what the outbox still holds and starts to offer it. */
  async open(): Promise<void> {
    const { components, settings, background } = this.#peer;
    for (const { taskId, command } of await components.outbox.list()) {
      const sealed = decodeCommand(command, settings.cluster);
      if (sealed?.command.type === "task-submit")
        this.#kept.set(taskId, keptOf(command, sealed.command, sealed));
      else components.logger.warn("outbox holds something that is no submission", { task: taskId });
    }
    background.run("offering kept tasks", this.#keepOffering());
  }

  async submit(input: unknown, options: Submission): Promise<Ack> {
    options.signal.throwIfAborted();
    const spec = parseTask(input);
    refuseSecrets(spec, this.#peer.components.redactor);
    const id = taskIdOf(options.principal, options.idempotencyKey);
    const known = this.#arriving.get(id) ?? this.#kept.get(id) ?? this.#peer.record(id);
    if (known !== undefined && !equalBytes(known.specBytes, specBytesOf(spec))) throw new ConflictError(id);
    if (known === undefined) this.#arrive(id, spec, options);
    await this.#arriving.get(id)?.kept;
    return this.#acknowledge(id, options.signal);
  }

  /** Offers one submission to the ledger now, if it is still kept here. @throws the ledger's error */
  async offer(id: TaskId, signal: AbortSignal): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept !== undefined) await this.#propose(id, kept.command, signal);
  }

  /** True for a task that is kept here and not ordered yet. */
  keeps(id: TaskId): boolean {
    return this.#kept.has(id);
  }

  /** Tasks that are kept here and not ordered yet, oldest first. */
  pending(): readonly TaskView[] {
    return [...this.#kept.values()].map(({ view }) => view);
  }

  see({ id, specBytes }: TaskRecord): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    if (!equalBytes(kept.specBytes, specBytes))
      this.#peer.components.logger.warn("kept task lost its key to another one", { task: id });
    this.#forget(id);
  }

  #arrive(id: TaskId, spec: TaskSpec, submission: Submission): void {
    const kept = this.#keep(id, spec, submission).finally(() => this.#arriving.delete(id));
    this.#arriving.set(id, { specBytes: specBytesOf(spec), kept });
  }

  /** Durable on this disk before anything else is tried. */
  async #keep(id: TaskId, spec: TaskSpec, { principal, idempotencyKey: key }: Submission): Promise<void> {
    const { signer, clock, outbox } = this.#peer.components;
    const { cluster } = this.#peer.settings;
    const now = clock.now();
    const submit = { type: "task-submit", principal, key, spec } as const;
    const command = await sealCommand(submit, { cluster, signer, now });
    ownCommand(command, cluster);
    await outbox.put({ taskId: id, command });
    this.#kept.set(id, keptOf(command, submit, { from: signer.peer, ts: now }));
  }

  #forget(id: TaskId): void {
    const { background, components } = this.#peer;
    if (this.#kept.delete(id)) background.run("forgetting an ordered task", components.outbox.remove(id));
  }

  async #propose(id: TaskId, command: Uint8Array, signal: AbortSignal): Promise<Ack> {
    const { replicas, result } = await this.#peer.components.ledger.propose(command, { signal });
    this.#forget(id);
    if (result.status === "applied") return { taskId: id, status: "committed", replicas };
    throw result.refusal === "conflict" ? new ConflictError(id) : new RefusedError(id, result.refusal);
  }

  /** The ledger's answer, or an honest `pending` when it does not come in time. */
  async #acknowledge(id: TaskId, caller: AbortSignal): Promise<Ack> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return { taskId: id, status: "committed", replicas: 1 };
    const { components, settings, stop } = this.#peer;
    const answered = new AbortController();
    const late = new AbortController();
    components.clock.sleep(settings.submitWaitMs, { signal: answered.signal }).then(
      () => late.abort(TIMEOUT),
      () => undefined,
    );
    try {
      return await this.#propose(id, kept.command, AbortSignal.any([caller, stop, late.signal]));
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.#work.beat();
      caller.throwIfAborted();
      // Whatever is wrong with the ledger, the task is on this disk and nothing is lost.
      return { taskId: id, status: "pending", replicas: 1 };
    } finally {
      answered.abort(ANSWERED);
    }
  }

  async #keepOffering(): Promise<void> {
    const { components, stop } = this.#peer;
    let pauseMs = FIRST_PAUSE_MS;
    while (!stop.aborted) {
      const wake = this.#work.next(stop);
      await this.#offerAll();
      if (this.#kept.size === 0) {
        pauseMs = FIRST_PAUSE_MS;
        await wake;
      } else {
        await components.clock.sleep(pauseMs, { signal: stop });
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  async #offerAll(): Promise<void> {
    const { components, stop } = this.#peer;
    for (const [id, { command }] of this.#kept)
      try {
        await this.#propose(id, command, stop);
      } catch (error) {
        if (stop.aborted) return;
        // Only another task that came in first under this key takes an accepted one's place.
        if (!isRetryable(error)) components.logger.warn("kept task was not ordered", { task: id, error });
      }
  }
}

function keptOf(
  command: Uint8Array,
  submit: Extract<SealedCommand["command"], { readonly type: "task-submit" }>,
  sealed: { readonly from: PeerId; readonly ts: number },
): Kept {
  const { principal, key, spec } = submit;
  const view: TaskView = {
    id: taskIdOf(principal, key),
    state: "submitted",
    spec,
    principal,
    entry: sealed.from,
    submittedAt: sealed.ts,
    attempt: 0,
    lastSeq: 0,
  };
  return { command, specBytes: specBytesOf(spec), view };
}

function isRefusal(error: unknown): boolean {
  return error instanceof ConflictError || error instanceof RefusedError;
}
