import type { ExpiryCause } from "./command.ts";
import type { TaskRecord } from "./contract-ports.ts";
import type { Lease, TaskId } from "./contract-task.ts";
import type { Follower, Peer } from "./peer.ts";
import { isRetryable } from "./proposer.ts";
import { rankOf } from "./rendezvous.ts";

/** Room for a holder's renewal to be ordered and to come round by way of others. */
const GONE_MS = 400;

interface Watched {
  readonly task: TaskId;
  readonly lease: Lease;
  readonly over: AbortController;
}

/**
 * Frees tasks whose holder is gone. Each peer measures silence on its own monotonic clock from the moment it
 * applied the holder's last sign of life, so no two clocks are ever compared, and names that sign in its proposal,
 * so that a newer one which the ledger ordered first wins. Being wrong wastes work and nothing else: tokens fence.
 */
export class LeaseWatch implements Follower {
  readonly #peer: Peer;
  readonly #watched = new Map<TaskId, Watched>();

  constructor(peer: Peer) {
    this.#peer = peer;
    peer.background.run("connection watch", this.#followConnections());
  }

  see({ id, lease }: TaskRecord): void {
    const before = this.#watched.get(id);
    if (before !== undefined && before.lease.renewal === lease?.renewal) return;
    before?.over.abort();
    this.#watched.delete(id);
    if (lease === undefined || lease.holder === this.#peer.components.signer.peer) return;
    const watch: Watched = { task: id, lease, over: new AbortController() };
    this.#watched.set(id, watch);
    this.#start(watch, (signal) => this.#afterSilence(watch, signal));
  }

  async #followConnections(): Promise<void> {
    const { components, stop } = this.#peer;
    for await (const { peer, connected } of components.streams.changes({ signal: stop })) {
      if (connected) continue;
      this.#peer.disconnects.beat();
      for (const watch of this.#watched.values())
        if (watch.lease.holder === peer) this.#start(watch, (signal) => this.#afterDisconnect(watch, signal));
    }
  }

  #start(watch: Watched, work: (signal: AbortSignal) => Promise<void>): void {
    const signal = AbortSignal.any([this.#peer.stop, watch.over.signal]);
    const quietly = work(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    this.#peer.background.run("lease watch", quietly);
  }

  async #afterSilence(watch: Watched, signal: AbortSignal): Promise<void> {
    await this.#peer.components.clock.sleep(watch.lease.ttlMs + this.#staggerMs(watch), { signal });
    await this.#expire(watch, "lapsed", signal);
  }

  /** A holder that only we lost has lost us as well, renews at once, and shows itself through the ledger. */
  async #afterDisconnect(watch: Watched, signal: AbortSignal): Promise<void> {
    const { clock, streams } = this.#peer.components;
    const { ttlMs, holder } = watch.lease;
    await clock.sleep(Math.min(GONE_MS, ttlMs) + this.#staggerMs(watch), { signal });
    if (!streams.peers().includes(holder)) await this.#expire(watch, "holder-gone", signal);
  }

  /** Usually one peer speaks up; the others only if it does not. */
  #staggerMs({ task, lease }: Watched): number {
    const { signer, streams } = this.#peer.components;
    const peers = [signer.peer, ...streams.peers()].filter((other) => other !== lease.holder);
    return rankOf(signer.peer, `${task} ${lease.token.index}`, { peers }) * this.#peer.settings.claimStepMs;
  }

  async #expire({ task, lease }: Watched, cause: ExpiryCause, signal: AbortSignal): Promise<void> {
    const { token, renewal, ttlMs } = lease;
    for (;;) {
      try {
        await this.#peer.proposer.once({ type: "task-expire", task, token, renewal, cause }, signal);
        return;
      } catch (error) {
        if (signal.aborted || !isRetryable(error)) throw error;
      }
      // While there was no leader the holder could not renew: it gets its chance before we ask again.
      await this.#peer.components.clock.sleep(ttlMs / 2, { signal });
    }
  }
}
