import type { Task } from "../tasks/machine.ts";
import { type EffectRecord, kindOf } from "./effect-core.ts";
import type { Effectors, Resolution } from "./effector.ts";
import { type Follower, LEASE_MS, Scope, type TaskPeer } from "./drivers.ts";
import { RECEIPT } from "./mediator.ts";
import { isTerminal, placeOf } from "./task-core.ts";

const PAUSE_MS = 1000;

/** Finds out what became of permits that their tasks' ends left open, as the package's `EffectWatch`. */
export class EffectWatch implements Follower {
  readonly #peer: TaskPeer;
  readonly #effectors: Effectors;
  readonly #watched = new Set<string>();
  readonly #scope: Scope;

  constructor(peer: TaskPeer, effectors: Effectors) {
    this.#peer = peer;
    this.#effectors = effectors;
    this.#scope = new Scope(peer.host);
  }

  see(task: Task): void {
    if (!isTerminal(task.state)) return;
    for (const { key } of task.effects?.filter(isOpen) ?? []) {
      if (this.#watched.has(key)) continue;
      this.#watched.add(key);
      const { self } = this.#peer;
      const place = placeOf(self, key, { peers: [self, ...this.#peer.peers()], last: [] });
      this.#scope.after(LEASE_MS + place * PAUSE_MS, () => this.#settle(task.id, key));
    }
  }

  #settle(id: string, key: string): void {
    const task = this.#peer.record(id);
    const effect = task?.effects?.find((one) => one.key === key);
    if (task === undefined || effect === undefined || !isOpen(effect)) {
      this.#watched.delete(key);
      return;
    }
    if (effect.state === "awaiting-approval" && effect.tried !== true) this.#say(id, effect, "absent");
    else
      this.#effectors.resolve({ kind: kindOf(effect.kind), key, task: id, record: effect }, (resolution) => {
        if (resolution === undefined) this.#scope.after(PAUSE_MS, () => this.#settle(id, key));
        else this.#say(id, effect, resolution);
      });
  }

  #say(task: string, { key, token }: EffectRecord, resolution: Resolution): void {
    const { term, index } = token;
    const about = { task, key };
    const reason = "the task has ended";
    const command =
      resolution === "done"
        ? { type: "effect-receipt", ...about, token: { term, index }, receipt: RECEIPT }
        : resolution === "absent"
          ? { type: "effect-void", ...about, reason }
          : { type: "effect-uncertain", ...about, token: { term, index }, reason };
    this.#peer.insist(command, this.#scope, () => this.#watched.delete(key));
  }
}

function isOpen({ state }: EffectRecord): boolean {
  return state === "permitted" || state === "awaiting-approval";
}
