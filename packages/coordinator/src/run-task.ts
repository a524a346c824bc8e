import { cleanRun, type CleanRun, manifestOf } from "./clean-run.ts";
import type { Components } from "./contract.ts";
import type { EffectRecord } from "./contract-effects.ts";
import type { RunResult } from "./contract-ports.ts";
import type { Lease, TaskId, TaskResult, TaskSpec } from "./contract-task.ts";
import { draftOf, laneOf, logEntryOf, resultOf, storeAll } from "./publication.ts";
import { DECISIONS_TOPIC } from "./wire-names.ts";

/** A task together with the right to finish it. */
export interface LeasedTask {
  readonly id: TaskId;
  readonly spec: TaskSpec;
  readonly principal: string;
  readonly attempt: number;
  readonly lease: Lease;
}

/** What became of a finished run. */
export type Verdict = "committed" | "fenced";

/** The ports of a run: the coordinator's own, with the executor and the ledger narrowed to this one lease. */
export interface RunPorts
  extends Pick<Components, "redactor" | "records" | "eventLog" | "storage" | "pubsub" | "clock" | "logger"> {
  readonly executor: {
    execute(task: LeasedTask, options: { readonly signal: AbortSignal }): Promise<RunResult>;
  };
  /** Does outside what the task declared, each thing once. @throws when it has to wait for a person */
  readonly effects: {
    carryOut(
      task: LeasedTask,
      run: CleanRun,
      options: { readonly signal: AbortSignal },
    ): Promise<readonly EffectRecord[]>;
  };
  /** One at a time in a lane of this peer. */
  readonly lanes: { take(lane: string, signal: AbortSignal): Promise<Disposable> };
  readonly ledger: {
    complete(
      task: LeasedTask,
      result: TaskResult,
      options: { readonly signal: AbortSignal },
    ): Promise<Verdict>;
  };
}

/**
 * A task's life on the worker that holds its lease, from work to published decision. This function is the system:
 * each step names the port it goes through, and `signal` ends it as soon as the lease is lost.
 */
export async function runTask(task: LeasedTask, ports: RunPorts, signal: AbortSignal): Promise<Verdict> {
  const { executor, redactor, effects, lanes, records, eventLog, storage, ledger, pubsub, clock, logger } =
    ports;

  // engine, sandbox: the work itself. What comes out has been seen by no one.
  const run = await executor.execute(task, { signal });

  // shhh: texts are redacted, a file with a secret stays behind. Only Clean values go on from here.
  const clean = await cleanRun(run, redactor);
  const { summary, files, redactions } = clean;

  // effects: what the task declared is done outside, each thing once, by a permit that the ledger ordered.
  const done = await effects.carryOut(task, clean, { signal });
  const manifest = await manifestOf(task, { summary, effects: done }, redactor);

  // ucxl: what was done becomes a signed record, addressed by its hash; a lane numbers one after the other.
  using _turn = await lanes.take(laneOf(task), signal);
  const draft = draftOf(task, { summary, files, manifest, redactor, createdAt: clock.now() });
  const record = await records.decide(draft, { signal });

  // event-log: it stands in this peer's own provable history before anybody hears of it.
  await eventLog.append([logEntryOf(task, record)]);

  // dht-storage: encrypted copies on two disks or more, or honestly `degraded`; then our lane points at it.
  const stored = await storeAll({ files, manifest, record, redactor }, storage, signal);
  await storage.putHead(record.head, { signal });

  // ledger: commits once, under the token of our lease; a holder that was replaced is fenced instead.
  const result = resultOf({ summary, redactions, manifest, record, stored });
  const verdict = await ledger.complete(task, result, { signal });
  if (verdict === "fenced") return verdict;

  // gossip: the mesh hears the address and nothing else. It is a hint: the ledger has the fact.
  await pubsub
    .publish(DECISIONS_TOPIC, "decision-published", { address: record.address })
    .catch((error: unknown) => logger.warn("decision could not be gossiped", { error }));
  return verdict;
}
