import type { Task } from "../tasks/machine.ts";
import { CLAIM_STEP_MS, type Follower, Scope, type TaskPeer } from "./drivers.ts";
import { isTerminal, placeOf } from "./task-core.ts";

/** Says when a deadline has passed by this peer's wall clock, as the package's `DeadlineWatch`. */
export class DeadlineWatch implements Follower {
  readonly #peer: TaskPeer;
  readonly #watched = new Map<string, Scope>();

  constructor(peer: TaskPeer) {
    this.#peer = peer;
  }

  see({ id, state, spec: { deadline } }: Task): void {
    if (deadline === undefined) return;
    if (isTerminal(state)) this.#watched.get(id)?.end();
    else if (!this.#watched.has(id)) this.#watch(id, deadline);
  }

  #watch(task: string, deadline: number): void {
    const scope = new Scope(this.#peer.host);
    this.#watched.set(task, scope);
    const { self } = this.#peer;
    const place = placeOf(self, `${task} deadline`, { peers: [self, ...this.#peer.peers()], last: [] });
    const report = (): void => {
      const left = deadline - this.#peer.wallClock();
      if (left > 0) scope.after(left, report);
      else
        scope.after(place * CLAIM_STEP_MS, () =>
          this.#peer.insist({ type: "task-overdue", task }, scope, () => undefined),
        );
    };
    report();
  }
}
