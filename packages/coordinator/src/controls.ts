import { canonicalText } from "./canonical-of.ts";
import type { TaskCommand } from "./command.ts";
import type { Cancellation, Control, ManualResult, TaskControls } from "./contract.ts";
import type { RunResult } from "./contract-ports.ts";
import type { TaskId } from "./contract-task.ts";
import { RefusedError } from "./errors.ts";
import { UnknownEffectError } from "./effects/effect-errors.ts";
import type { Entry } from "./entry.ts";
import type { Peer } from "./peer.ts";
import type { Worker } from "./worker.ts";

interface Reasoned {
  readonly reason: string;
  readonly signal: AbortSignal;
}

/** A person's words to tasks, as ordered commands: the ledger says what they came to, and where the work was. */
export class Controls implements TaskControls {
  readonly #peer: Peer;
  readonly #entry: Entry;
  readonly #worker: Worker;
  readonly #known: (id: string) => TaskId;

  /** @param known throws for an id that names no task here */
  constructor(
    peer: Peer,
    parts: { readonly entry: Entry; readonly worker: Worker; readonly known: (id: string) => TaskId },
  ) {
    this.#peer = peer;
    this.#entry = parts.entry;
    this.#worker = parts.worker;
    this.#known = parts.known;
  }

  async cancel(id: string, { reason, signal }: Reasoned): Promise<Cancellation> {
    const control = await this.#order(id, signal, (task) => ({
      type: "task-cancel",
      task,
      reason: this.#cleaned(reason),
    }));
    const { taskId, state, boundary } = control;
    return { taskId, canceled: state === "canceled", state, ...(boundary === undefined ? {} : { boundary }) };
  }

  pause(id: string, { reason, signal }: Reasoned): Promise<Control> {
    return this.#order(id, signal, (task) => ({ type: "task-pause", task, reason: this.#cleaned(reason) }));
  }

  resume(id: string, { signal }: { readonly signal: AbortSignal }): Promise<Control> {
    return this.#order(id, signal, (task) => ({ type: "task-resume", task }));
  }

  steer(
    id: string,
    { text, signal }: { readonly text: string; readonly signal: AbortSignal },
  ): Promise<Control> {
    const word = { id: crypto.randomUUID(), text: this.#cleaned(text, 2000) };
    return this.#order(id, signal, (task) => ({ type: "task-steer", task, ...word }));
  }

  async takeover(id: string, { reason, signal }: Reasoned): Promise<Control> {
    const { session, settings } = this.#peer;
    const control = await this.#order(id, signal, (task) => ({
      type: "task-takeover",
      task,
      reason: this.#cleaned(reason),
      ttlMs: settings.leaseMs,
      session,
    }));
    const record = this.#peer.record(id);
    if (record !== undefined) this.#worker.see(record);
    return control;
  }

  async finish(
    id: string,
    result: ManualResult,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Control> {
    const taskId = this.#known(id);
    const run = this.#worker.manual(taskId);
    signal.throwIfAborted();
    run?.finish(runOf(result));
    const verdict = await run?.ended;
    const state = this.#peer.record(taskId)?.state ?? "submitted";
    if (verdict === "committed") return { taskId, applied: true, state, boundary: "at-once" };
    return { taskId, applied: false, state, refusal: run === undefined ? "not-possible" : "fenced" };
  }

  handBack(id: string, { reason, signal }: Reasoned): Promise<Control> {
    const token = this.#peer.record(id)?.lease?.token ?? { term: 0, index: 0 };
    return this.#order(id, signal, (task) => ({
      type: "task-hand-back",
      task,
      token,
      reason: this.#cleaned(reason),
    }));
  }

  async decideEffect(
    id: string,
    { key, decision, reason, signal }: Parameters<TaskControls["decideEffect"]>[1],
  ): Promise<Control> {
    const effect = this.#peer.record(id)?.effects?.find((one) => one.key === key);
    if (effect === undefined) throw new UnknownEffectError(id);
    const about = { key: effect.key, decision, reason: this.#cleaned(reason) };
    return this.#order(id, signal, (task) => ({ type: "effect-decide", task, ...about }));
  }

  async #order(id: string, signal: AbortSignal, commandFor: (task: TaskId) => TaskCommand): Promise<Control> {
    const taskId = this.#known(id);
    const { proposer, components } = this.#peer;
    // It has to be ordered after the task it is about.
    await this.#entry.offer(taskId, signal);
    const { index, result } = await proposer.once(commandFor(taskId), signal);
    await components.ledger.waitFor(index, { signal });
    if (result.status === "refused") {
      if (result.state === undefined) throw new RefusedError(taskId, result.refusal);
      return { taskId, applied: false, state: result.state, refusal: result.refusal };
    }
    const { state, boundary } = result;
    return { taskId, applied: true, state, ...(boundary === undefined ? {} : { boundary }) };
  }

  /** Redacted before it is cut: half a secret is not recognised any more. */
  #cleaned(text: string, max = 512): string {
    return canonicalText(this.#peer.components.redactor.redactValue(text).value, max);
  }
}

/** A person has no sandbox, and says so. */
function runOf({ outcome, reason, files = [] }: ManualResult): RunResult {
  return {
    outcome,
    ...(reason === undefined ? {} : { reason }),
    steps: [],
    artifacts: files.map(({ mode = 0o644, ...file }) => ({ mode, ...file })),
    isolation: { engine: "person", level: "none", missing: [] },
  };
}
