import { type Clock, errorCode } from "@chorus/kernel";
import { canonicalText } from "./canonical-of.ts";
import type { Executor, ExecutorControl, RunResult } from "./contract-ports.ts";
import type { Reason, TaskId, TaskResult, Token } from "./contract-task.ts";
import { AttemptFailedError, LeaseLostError, NeedsAnswerError, RefusedError } from "./errors.ts";
import type { OutputLogs } from "./output-logs.ts";
import type { Peer } from "./peer.ts";
import { ProgressSender } from "./progress-sender.ts";
import { isRetryable } from "./proposer.ts";
import { type LeasedTask, type RunPorts, runTask, type Verdict } from "./run-task.ts";

/** Renewals in one lease time: three may be lost. */
const RENEWALS = 4;

/** How long a stopping peer tries to give its lease back. */
const FAREWELL_MS = 1000;

const SILENCE_MS = 100;
const TOLD = new Error("it has been told");

/** What one attempt needs besides the peer's parts. */
export interface AttemptOptions {
  readonly logs: OutputLogs;
  /** Aborted when the lease is lost; the attempt aborts it itself when it is told so first. */
  readonly lost: AbortController;
  readonly executor: Executor;
  readonly control: ExecutorControl;
  readonly lanes: RunPorts["lanes"];
  readonly effects: RunPorts["effects"];
}

/**
 * Carries one attempt out under its lease: keeps the lease alive, hands output and progress on, runs the task, and
 * gives the lease back when the run could not be carried out. Never rejects.
 * @returns undefined when it was given up
 */
export async function attempt(
  peer: Peer,
  task: LeasedTask,
  options: AttemptOptions,
): Promise<Verdict | undefined> {
  const { logs, lost } = options;
  const { logger } = peer.components;
  const over = new AbortController();
  const signal = AbortSignal.any([peer.stop, lost.signal]);
  peer.background.run("renewal", keepLease(peer, task, { lost, over: over.signal }));
  try {
    const verdict = await runTask(task, portsOf(peer, options, signal), signal);
    logger.info("attempt ended", { task: task.id, attempt: task.attempt, verdict });
    return verdict;
  } catch (error) {
    if (lost.signal.aborted) logger.info("attempt was given up", { task: task.id, attempt: task.attempt });
    else await giveBack(peer, task, error);
    return undefined;
  } finally {
    over.abort();
    logs.get(task.id, task.attempt)?.end();
  }
}

/** The peer's ports, with executor and ledger narrowed to one lease. */
function portsOf(peer: Peer, options: AttemptOptions, leaseSignal: AbortSignal): RunPorts {
  return {
    ...peer.components,
    lanes: options.lanes,
    effects: options.effects,
    executor: {
      execute: (task, { signal }) => {
        const progress = new ProgressSender(peer, task, leaseSignal);
        return execute({ task, progress, options: { ...options, clock: peer.components.clock }, signal });
      },
    },
    ledger: {
      async complete({ id, lease }, result, { signal }) {
        const command = { type: "task-complete", task: id, token: lease.token, result } as const;
        const keep = (): void => keepEvidence(peer, { task: id, token: lease.token }, result);
        const { result: answer } = await peer.proposer.insist(command, signal).catch((error: unknown) => {
          if (errorCode(signal.reason) === "coordinator/lease-lost") keep();
          throw error;
        });
        if (answer.status === "applied") return "committed";
        if (answer.refusal !== "fenced") throw new RefusedError(id, answer.refusal);
        keep();
        return "fenced";
      },
    },
  };
}

/** Work that lost is kept: the decision stands in this peer's lane, the ledger says whose attempt it was. */
function keepEvidence(
  { background, proposer, stop }: Peer,
  lost: { readonly task: TaskId; readonly token: Token },
  { decision: { address, cid } }: TaskResult,
): void {
  const evidence = { type: "task-evidence", ...lost, address, cid } as const;
  background.run("keeping evidence", proposer.insist(evidence, stop));
}

interface Execution {
  readonly task: LeasedTask;
  readonly progress: ProgressSender;
  readonly options: AttemptOptions & Pick<Peer["components"], "clock">;
  readonly signal: AbortSignal;
}

async function execute({ task, progress, options, signal }: Execution): Promise<RunResult> {
  const { executor, control, logs } = options;
  const log = logs.open(task.id, task.attempt);
  const silence = new AbortController();
  const started = { phase: "started", message: `attempt ${task.attempt} of ${task.spec.attempts}` };
  tellAfterSilence(options.clock, silence.signal, () => progress.push(started));
  try {
    await control.whenRunning({ signal });
    const run = await executor.execute(task, {
      attempt: task.attempt,
      control,
      onOutput: ({ stream, bytes }) => log.append(stream, bytes),
      onProgress: (step) => {
        silence.abort(TOLD);
        progress.push(step);
      },
      signal,
    });
    if (run.asks !== undefined) throw new NeedsAnswerError(run.asks);
    if (run.outcome === "failed" && run.retryable === true)
      throw new AttemptFailedError(run.reason ?? "the run could not be carried out");
    return run;
  } finally {
    silence.abort(TOLD);
    log.end();
    // What the run told comes before how it ended.
    await progress.flush();
  }
}

/** A run that has said nothing for a while is said to have started; a short one is not worth an entry of its own. */
function tellAfterSilence(clock: Clock, signal: AbortSignal, tell: () => void): void {
  clock.sleep(SILENCE_MS, { signal }).then(tell, () => undefined);
}

/** Signs of life come from here, not from the work: a busy model or a hung command does not look dead. */
async function keepLease(
  peer: Peer,
  task: LeasedTask,
  signals: { readonly lost: AbortController; readonly over: AbortSignal },
): Promise<void> {
  const { id, lease } = task;
  const signal = AbortSignal.any([peer.stop, signals.lost.signal, signals.over]);
  while (!signal.aborted)
    try {
      await nextRenewal(peer, lease.ttlMs / RENEWALS, signal);
      const renewal = { type: "task-renew", task: id, token: lease.token } as const;
      const { result } = await peer.proposer.once(renewal, signal);
      if (result.status === "refused" && !signal.aborted)
        signals.lost.abort(new LeaseLostError(id, result.state ?? "ready"));
    } catch (error) {
      if (signal.aborted) return;
      // Without a leader nobody can take the lease away either.
      if (!isRetryable(error)) throw error;
    }
}

/** In time, or as soon as a connection is lost: the peer at its other end may think that this one is gone. */
async function nextRenewal(peer: Peer, ms: number, signal: AbortSignal): Promise<void> {
  const woken = new AbortController();
  const lost = peer.disconnects.next(signal);
  const due = peer.components.clock.sleep(ms, { signal: AbortSignal.any([signal, woken.signal]) });
  try {
    await Promise.race([due, lost]);
  } finally {
    woken.abort(signal.reason);
    await due.catch(() => undefined);
  }
  signal.throwIfAborted();
}

/** Frees the task for another attempt, or for a person's word, for as long as this peer may still speak. */
async function giveBack(peer: Peer, task: LeasedTask, error: unknown): Promise<void> {
  const { clock, logger } = peer.components;
  const { id, lease } = task;
  const reason = reasonOf(peer, error);
  if (!peer.stop.aborted) logger.warn("attempt failed", { task: id, attempt: task.attempt, reason });
  const late = new AbortController();
  const timer = new AbortController();
  const limit = clock.sleep(peer.stop.aborted ? FAREWELL_MS : lease.ttlMs, { signal: timer.signal });
  limit.then(
    () => late.abort(),
    () => undefined,
  );
  try {
    const about = { task: id, token: lease.token };
    await peer.proposer.insist(
      error instanceof NeedsAnswerError
        ? { type: "task-ask", ...about, for: error.asks, question: reason.message }
        : { type: "task-fail", ...about, reason },
      late.signal,
    );
  } catch {
    logger.debug("lease will lapse by itself", { task: id });
  } finally {
    timer.abort();
  }
}

function reasonOf(peer: Peer, error: unknown): Reason {
  const cause: unknown = peer.stop.aborted ? peer.stop.reason : error;
  const text = cause instanceof Error ? cause.message : "the run could not be carried out";
  const { value } = peer.components.redactor.redactValue(text);
  const code = canonicalText(errorCode(cause) ?? "coordinator/attempt-failed", 64);
  return { code, message: canonicalText(value, 512) };
}
