import { attempt } from "./attempt.ts";
import { isCapable } from "./capability.ts";
import { ClaimQueue } from "./claim-queue.ts";
import type { TaskRecord } from "./contract-ports.ts";
import type { Lease, TaskId } from "./contract-task.ts";
import { LeaseLostError } from "./errors.ts";
import { ManualRun } from "./manual-run.ts";
import type { OutputLogs } from "./output-logs.ts";
import type { Follower, Peer } from "./peer.ts";
import { isRetryable } from "./proposer.ts";
import { Pulse } from "./pulse.ts";
import { rankOf } from "./rendezvous.ts";
import { RunControl } from "./run-control.ts";
import type { RunPorts } from "./run-task.ts";
import { Turns } from "./turns.ts";

/** Pause before a claim is tried again that met no leader. */
const NO_LEADER_PAUSE_MS = 500;
/** Pause before a claim is tried again that was refused although the task is ready. */
const REFUSED_PAUSE_MS = 1000;
const DEFAULT_PRIORITY = 5;
/** A head start in times of what the ledger takes to order a command. */
const PACES = 3;
const WOKEN = new Error("something changed");

interface Run {
  readonly task: TaskId;
  readonly index: number;
  readonly lost: AbortController;
  readonly control: RunControl;
  /** Present when a person does the work. */
  readonly manual?: ManualRun;
}

/**
 * Claims ready tasks in turn and runs what this peer holds. What it does follows from the ledger alone: a lease that
 * names this peer and this session is a run here, whatever became of the answer to its claim.
 */
export class Worker implements Follower {
  readonly #peer: Peer;
  readonly #logs: OutputLogs;
  readonly #effects: RunPorts["effects"];
  readonly #queue: ClaimQueue;
  readonly #lanes = new Turns();
  /** By the index of the lease's token. */
  readonly #running = new Map<number, Run>();
  /** Leases that were run or given back: a peer that is behind sees old ones again, and each is dealt with once. */
  readonly #handled = new Set<number>();
  /** The releases whose waits have been counted from when they were seen. */
  readonly #waited = new Map<TaskId, number>();
  readonly #wake = new Pulse();
  #claiming = 0;

  constructor(peer: Peer, logs: OutputLogs, effects: RunPorts["effects"]) {
    this.#peer = peer;
    this.#logs = logs;
    this.#effects = effects;
    this.#queue = new ClaimQueue({ ageMs: peer.settings.ageMs });
    if (peer.settings.capacity > 0) peer.background.run("claiming", this.#keepClaiming());
  }

  see(record: TaskRecord): void {
    const { id, state, lease } = record;
    this.#tellRuns(record);
    if (state === "ready") {
      this.#enqueue(record);
      return;
    }
    this.#queue.remove(id);
    this.#waited.delete(id);
    if (lease?.holder !== this.#peer.components.signer.peer || this.#handled.has(lease.token.index)) return;
    this.#handled.add(lease.token.index);
    if (lease.session === this.#peer.session) this.#start(record, lease);
    else this.#giveBackOrphan(id, lease);
  }

  /** The run that a person does under a lease taken over here. */
  manual(id: TaskId): ManualRun | undefined {
    for (const { task, lost, manual } of this.#running.values())
      if (task === id && manual !== undefined && !lost.signal.aborted) return manual;
    return undefined;
  }

  #start(record: TaskRecord, lease: Lease): void {
    const { id, spec, principal } = record;
    const { index } = lease.token;
    const lost = new AbortController();
    const control = new RunControl(record);
    const manual = lease.manual === true ? new ManualRun() : undefined;
    this.#running.set(index, { task: id, index, lost, control, ...(manual === undefined ? {} : { manual }) });
    const task = { id, spec, principal, attempt: lease.attempt, lease };
    const { executor } = this.#peer.components;
    const parts = { logs: this.#logs, lanes: this.#lanes, effects: this.#effects };
    const options = { ...parts, lost, control, executor: manual ?? executor };
    const work = attempt(this.#peer, task, options)
      .then((verdict) => manual?.end(verdict))
      .finally(() => {
        this.#running.delete(index);
        this.#wake.beat();
      });
    this.#peer.background.run("attempt", work);
  }

  /** Its own commit does not stop a run: what follows the commit belongs to it. */
  #tellRuns(record: TaskRecord): void {
    const { id, state, lease, finishedBy } = record;
    for (const run of this.#running.values()) {
      if (run.task !== id || run.index === finishedBy?.index) continue;
      if (run.index === lease?.token.index) run.control.see(record);
      else run.lost.abort(new LeaseLostError(id, state));
    }
  }

  /** A lease of this peer's former process: nobody works under it any more. */
  #giveBackOrphan(task: TaskId, { token, renewal }: Lease): void {
    const { background, proposer, stop } = this.#peer;
    const expiry = { type: "task-expire", task, token, renewal, cause: "holder-restarted" } as const;
    background.run("giving an old lease back", proposer.insist(expiry, stop));
  }

  #enqueue(record: TaskRecord): void {
    const { id, spec, retry } = record;
    const { settings, components } = this.#peer;
    if (settings.capacity === 0 || !isCapable(settings.capabilities, spec)) return;
    const release = retry?.index ?? 0;
    if (this.#queue.has(id) && this.#waited.get(id) === release) return;
    // The wait counts from here: no clock of another peer is asked.
    const backoffMs = this.#waited.get(id) === release ? 0 : (retry?.waitMs ?? 0);
    this.#waited.set(id, release);
    const dueAt = components.clock.monotonic() + backoffMs + this.#turnMs(record);
    this.#queue.add({ id, priority: spec.priority ?? DEFAULT_PRIORITY, dueAt });
    this.#wake.beat();
  }

  /** The line is computed alike by all, so that usually one peer claims; ties and gaps cost time, not safety. */
  #turnMs({ id, entry, holders }: TaskRecord): number {
    const { signer, streams } = this.#peer.components;
    const peers = [signer.peer, ...streams.peers()];
    // Who is next in line waits until the claim before its own can have been ordered, however busy the ledger is.
    const stepMs = Math.max(this.#peer.settings.claimStepMs, PACES * this.#peer.proposer.paceMs());
    return rankOf(signer.peer, id, { peers, last: entry, tried: holders }) * stepMs;
  }

  async #keepClaiming(): Promise<void> {
    const { stop, components, background } = this.#peer;
    while (!stop.aborted) {
      const changed = this.#wake.next(stop);
      const task = this.#hasRoom() ? this.#queue.next(components.clock.monotonic()) : undefined;
      if (task === undefined) await this.#pause(changed);
      else background.run("claim", this.#claim(task));
    }
  }

  #hasRoom(): boolean {
    const runs = [...this.#running.values()].filter(({ manual }) => manual === undefined);
    return runs.length + this.#claiming < this.#peer.settings.capacity;
  }

  /** Until something changed, or the next task comes due. */
  async #pause(changed: Promise<void>): Promise<void> {
    const { clock } = this.#peer.components;
    const dueAt = this.#hasRoom() ? this.#queue.nextDueAt() : undefined;
    if (dueAt === undefined) {
      await changed;
      return;
    }
    const woken = new AbortController();
    const due = clock.sleep(Math.max(0, dueAt - clock.monotonic()), { signal: woken.signal });
    await Promise.race([changed, due.catch(() => undefined)]);
    woken.abort(WOKEN);
  }

  async #claim(task: TaskId): Promise<void> {
    const { components, settings, proposer, session, stop } = this.#peer;
    const { capabilities, leaseMs: ttlMs } = settings;
    if (this.#peer.record(task)?.state !== "ready") return;
    this.#claiming++;
    try {
      const claim = { type: "task-claim", task, capabilities, ttlMs, session } as const;
      const { index, result } = await proposer.once(claim, stop);
      await components.ledger.waitFor(index, { signal: stop });
      // Usually another peer has it; what is refused and still there is not asked for without end.
      if (result.status === "refused" && this.#peer.record(task)?.state === "ready")
        await components.clock.sleep(REFUSED_PAUSE_MS, { signal: stop });
    } catch (error) {
      if (stop.aborted || !isRetryable(error)) throw error;
      await components.clock.sleep(NO_LEADER_PAUSE_MS, { signal: stop });
    } finally {
      const record = this.#peer.record(task);
      // Started here, while the claim still counts against the capacity; or queued again.
      if (record !== undefined && !stop.aborted) this.see(record);
      this.#claiming--;
      this.#wake.beat();
    }
  }
}
