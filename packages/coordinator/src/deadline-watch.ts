import type { TaskRecord } from "./contract-ports.ts";
import type { TaskId } from "./contract-task.ts";
import { isTerminal } from "./core/transitions.ts";
import type { Follower, Peer } from "./peer.ts";
import { rankOf } from "./rendezvous.ts";

/** Timers further away than this are set in steps: Node's own end after 24.8 days. */
const LONGEST_SLEEP_MS = 3_600_000;

/**
 * Says when a task's deadline has passed by this peer's wall clock. The machine believes the signed time of whoever
 * says so first; a task that is done by then stays done.
 */
export class DeadlineWatch implements Follower {
  readonly #peer: Peer;
  readonly #watched = new Map<TaskId, AbortController>();

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  see({ id, state, spec }: TaskRecord): void {
    if (spec.deadline === undefined) return;
    if (isTerminal(state)) {
      this.#watched.get(id)?.abort();
      this.#watched.delete(id);
    } else if (!this.#watched.has(id)) this.#watch(id, spec.deadline);
  }

  #watch(id: TaskId, deadline: number): void {
    const over = new AbortController();
    this.#watched.set(id, over);
    const signal = AbortSignal.any([this.#peer.stop, over.signal]);
    const quietly = this.#report(id, deadline, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    this.#peer.background.run("deadline watch", quietly);
  }

  async #report(id: TaskId, deadline: number, signal: AbortSignal): Promise<void> {
    const { components, proposer } = this.#peer;
    const { clock } = components;
    for (let left = deadline - clock.now(); left > 0; left = deadline - clock.now())
      await clock.sleep(Math.min(left, LONGEST_SLEEP_MS), { signal });
    await clock.sleep(this.#staggerMs(id), { signal });
    await proposer.insist({ type: "task-overdue", task: id }, signal);
  }

  /** Usually one peer speaks up; the others only if it does not. */
  #staggerMs(id: TaskId): number {
    const { signer, streams } = this.#peer.components;
    const peers = [signer.peer, ...streams.peers()];
    return rankOf(signer.peer, `${id} deadline`, { peers }) * this.#peer.settings.claimStepMs;
  }
}
