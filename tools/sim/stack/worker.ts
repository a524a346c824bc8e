import type { Task } from "../tasks/machine.ts";
import { Attempt } from "./attempt.ts";
import { CLAIM_STEP_MS, type Follower, LEASE_MS, Scope, type TaskPeer } from "./drivers.ts";
import type { Effectors } from "./effector.ts";
import { KINDS } from "./target-book.ts";
import { placeOf } from "./task-core.ts";

const NO_LEADER_PAUSE_MS = 500;
const CAPACITY = 2;
const CAPABILITIES = ["isolation:container", "language:*", ...KINDS.map((kind) => `effect:${kind}`)];

/** Claims ready tasks in turn and runs what this peer holds, as the package's `Worker`. */
export class Worker implements Follower {
  readonly #peer: TaskPeer;
  readonly #effectors: Effectors;
  /** By the index of the lease's token. */
  readonly #running = new Map<number, Attempt>();
  readonly #queued = new Map<string, Scope>();
  readonly #handled = new Set<number>();
  #claiming = 0;

  constructor(peer: TaskPeer, effectors: Effectors) {
    this.#peer = peer;
    this.#effectors = effectors;
  }

  see(task: Task): void {
    const { id, state, lease } = task;
    for (const attempt of this.#running.values()) attempt.see(task);
    if (state === "ready") {
      this.#enqueue(task);
      return;
    }
    this.#queued.get(id)?.end();
    this.#queued.delete(id);
    if (lease?.holder !== this.#peer.self || this.#handled.has(lease.token.index)) return;
    this.#handled.add(lease.token.index);
    if (lease.session === this.#peer.session) this.#start(task, lease);
    else this.#giveBackOrphan(id, lease);
  }

  #start(task: Task, lease: NonNullable<Task["lease"]>): void {
    const { index } = lease.token;
    const attempt = new Attempt({ peer: this.#peer, effectors: this.#effectors }, { task, lease }, () =>
      this.#running.delete(index),
    );
    this.#running.set(index, attempt);
    attempt.start();
  }

  /** A lease of this peer's former process: nobody works under it any more. */
  #giveBackOrphan(task: string, { token, renewal }: NonNullable<Task["lease"]>): void {
    const { term, index } = token;
    const expiry = { type: "task-expire", task, token: { term, index }, renewal, cause: "holder-restarted" };
    this.#peer.insist(expiry, new Scope(this.#peer.host), () => undefined);
  }

  #enqueue(task: Task): void {
    const { id, entry, holders, retry } = task;
    if (this.#queued.has(id)) return;
    const scope = new Scope(this.#peer.host);
    this.#queued.set(id, scope);
    const { self } = this.#peer;
    const place = placeOf(self, id, { peers: [self, ...this.#peer.peers()], last: [entry, ...holders] });
    // The wait is measured from when this peer applied the release, by its own clock.
    scope.after((retry?.waitMs ?? 0) + place * CLAIM_STEP_MS, () => this.#takeTurn(id, scope));
  }

  #takeTurn(id: string, scope: Scope): void {
    if (scope.isOver) return;
    if (this.#peer.record(id)?.state !== "ready") this.#leave(id, scope);
    else if (this.#running.size + this.#claiming >= CAPACITY)
      scope.after(200, () => this.#takeTurn(id, scope));
    else this.#claim(id, scope);
  }

  #leave(id: string, scope: Scope): void {
    scope.end();
    if (this.#queued.get(id) === scope) this.#queued.delete(id);
  }

  /** What the ledger made of it is seen when it is applied here. */
  #claim(task: string, scope: Scope): void {
    this.#claiming++;
    const { session } = this.#peer;
    const claim = { type: "task-claim", task, capabilities: CAPABILITIES, ttlMs: LEASE_MS, session };
    this.#peer.once(claim, (answer) => {
      this.#claiming--;
      if (answer === undefined) scope.after(NO_LEADER_PAUSE_MS, () => this.#takeTurn(task, scope));
      else if (answer.result?.status === "refused" && answer.result.refusal === "not-possible")
        this.#takeTurn(task, scope);
      else this.#leave(task, scope);
    });
  }
}
