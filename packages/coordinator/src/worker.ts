import { attempt } from "./attempt.ts";
import { isCapable } from "./capability.ts";
import type { TaskRecord } from "./contract-ports.ts";
import type { Lease, TaskId } from "./contract-task.ts";
import { LeaseLostError } from "./errors.ts";
import type { OutputLogs } from "./output-logs.ts";
import type { Follower, Peer } from "./peer.ts";
import { isRetryable } from "./proposer.ts";
import { Pulse } from "./pulse.ts";
import { rankOf } from "./rendezvous.ts";

/** Pause before a claim is tried again that met no leader. */
const NO_LEADER_PAUSE_MS = 500;

interface Run {
  readonly task: TaskId;
  readonly index: number;
  readonly lost: AbortController;
}

/**
 * Claims ready tasks in turn and runs what this peer holds. What it does follows from the ledger alone: a lease that
 * names this peer and this session is a run here, whatever became of the answer to its claim.
 */
export class Worker implements Follower {
  readonly #peer: Peer;
  readonly #logs: OutputLogs;
  /** By the index of the lease's token. */
  readonly #running = new Map<number, Run>();
  readonly #queued = new Map<TaskId, AbortController>();
  /** Leases that were run or given back: a peer that is behind sees old ones again, and each is dealt with once. */
  readonly #handled = new Set<number>();
  readonly #freed = new Pulse();
  #claiming = 0;

  constructor(peer: Peer, logs: OutputLogs) {
    this.#peer = peer;
    this.#logs = logs;
  }

  see(record: TaskRecord): void {
    const { id, state, lease } = record;
    this.#stopStale(record);
    if (state === "ready") {
      this.#enqueue(record);
      return;
    }
    this.#queued.get(id)?.abort();
    this.#queued.delete(id);
    if (lease?.holder !== this.#peer.components.signer.peer || this.#handled.has(lease.token.index)) return;
    this.#handled.add(lease.token.index);
    if (lease.session === this.#peer.session) this.#start(record, lease);
    else this.#giveBackOrphan(id, lease);
  }

  #start({ id, spec, principal }: TaskRecord, lease: Lease): void {
    const { index } = lease.token;
    const lost = new AbortController();
    this.#running.set(index, { task: id, index, lost });
    const task = { id, spec, principal, attempt: lease.attempt, lease };
    const work = attempt(this.#peer, task, { logs: this.#logs, lost }).finally(() => {
      this.#running.delete(index);
      this.#freed.beat();
    });
    this.#peer.background.run("attempt", work);
  }

  /** Its own commit does not stop a run: what follows the commit belongs to it. */
  #stopStale({ id, state, lease, finishedBy }: TaskRecord): void {
    for (const run of this.#running.values())
      if (run.task === id && run.index !== lease?.token.index && run.index !== finishedBy?.index)
        run.lost.abort(new LeaseLostError(id, state));
  }

  /** A lease of this peer's former process: nobody works under it any more. */
  #giveBackOrphan(task: TaskId, { token, renewal }: Lease): void {
    const { background, proposer, stop } = this.#peer;
    const expiry = { type: "task-expire", task, token, renewal, cause: "holder-restarted" } as const;
    background.run("giving an old lease back", proposer.insist(expiry, stop));
  }

  #enqueue(record: TaskRecord): void {
    const { id, spec } = record;
    const { settings, background, stop } = this.#peer;
    if (settings.capacity === 0 || this.#queued.has(id)) return;
    if (!isCapable(settings.capabilities, spec)) return;
    const left = new AbortController();
    this.#queued.set(id, left);
    const signal = AbortSignal.any([stop, left.signal]);
    const turn = this.#takeTurn(record, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
      })
      .finally(() => {
        if (this.#queued.get(id) === left) this.#queued.delete(id);
      });
    background.run("claim", turn);
  }

  async #takeTurn(record: TaskRecord, signal: AbortSignal): Promise<void> {
    const waitMs = this.#turnMs(record);
    if (waitMs > 0) await this.#peer.components.clock.sleep(waitMs, { signal });
    while (!signal.aborted && this.#peer.record(record.id)?.state === "ready") {
      const slot = this.#freed.next(signal);
      const isFree = this.#running.size + this.#claiming < this.#peer.settings.capacity;
      if (!isFree) await slot;
      else if ((await this.#claim(record.id, signal)) === "done") return;
    }
  }

  /** The line is computed alike by all, so that usually one peer claims; ties and gaps cost time, not safety. */
  #turnMs({ id, entry, holders }: TaskRecord): number {
    const { signer, streams } = this.#peer.components;
    const peers = [signer.peer, ...streams.peers()];
    return rankOf(signer.peer, id, { peers, last: entry, tried: holders }) * this.#peer.settings.claimStepMs;
  }

  async #claim(task: TaskId, signal: AbortSignal): Promise<"done" | "again"> {
    const { components, settings, proposer, session } = this.#peer;
    const { capabilities, leaseMs: ttlMs } = settings;
    this.#claiming++;
    try {
      const claim = { type: "task-claim", task, capabilities, ttlMs, session } as const;
      const { index, result } = await proposer.once(claim, signal);
      await components.ledger.waitFor(index, { signal });
      const record = this.#peer.record(task);
      // Started here, while the claim still counts against the capacity.
      if (record !== undefined) this.see(record);
      return result.status === "refused" && result.refusal === "not-possible" ? "again" : "done";
    } catch (error) {
      if (signal.aborted || !isRetryable(error)) throw error;
      await components.clock.sleep(NO_LEADER_PAUSE_MS, { signal });
      return "again";
    } finally {
      this.#claiming--;
      this.#freed.beat();
    }
  }
}
