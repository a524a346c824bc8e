import type { PeerId } from "@chorus/kernel";
import type { Task } from "../tasks/machine.ts";
import { CLAIM_STEP_MS, type Follower, Scope, type TaskPeer } from "./drivers.ts";
import { placeOf } from "./task-core.ts";

const RENEWALS = 4;

interface Watched {
  readonly task: string;
  readonly lease: NonNullable<Task["lease"]>;
  readonly scope: Scope;
}

/** Frees tasks whose holder is gone, as the package's `LeaseWatch`: silence by its own clock, fencing by the ledger. */
export class LeaseWatch implements Follower {
  readonly #peer: TaskPeer;
  readonly #watched = new Map<string, Watched>();

  constructor(peer: TaskPeer) {
    this.#peer = peer;
  }

  see({ id, lease }: Task): void {
    const before = this.#watched.get(id);
    if (before !== undefined && before.lease.renewal === lease?.renewal) return;
    before?.scope.end();
    this.#watched.delete(id);
    if (lease === undefined || lease.holder === this.#peer.self) return;
    const watched = { task: id, lease, scope: new Scope(this.#peer.host) };
    this.#watched.set(id, watched);
    watched.scope.after(lease.ttlMs + this.#staggerMs(watched), () => this.#expire(watched, "lapsed"));
  }

  /** A little more than one renewal: a holder that only this peer lost shows itself in that time. */
  onDisconnect(holder: PeerId): void {
    for (const watched of this.#watched.values()) {
      const { lease, scope } = watched;
      if (lease.holder === holder)
        scope.after((lease.ttlMs * 1.2) / RENEWALS + this.#staggerMs(watched), () => {
          if (!this.#peer.peers().includes(holder)) this.#expire(watched, "holder-gone");
        });
    }
  }

  #staggerMs({ task, lease }: Watched): number {
    const { self } = this.#peer;
    const peers = [self, ...this.#peer.peers()].filter((other) => other !== lease.holder);
    return placeOf(self, `${task} ${lease.token.index}`, { peers, last: [] }) * CLAIM_STEP_MS;
  }

  #expire(watched: Watched, cause: string): void {
    const { task, lease, scope } = watched;
    const { token, renewal, ttlMs } = lease;
    const { term, index } = token;
    this.#peer.once({ type: "task-expire", task, token: { term, index }, renewal, cause }, (answer) => {
      // While there was no leader the holder could not renew: it gets its chance before this peer asks again.
      if (answer === undefined) scope.after(ttlMs / 2, () => this.#expire(watched, cause));
    });
  }
}
