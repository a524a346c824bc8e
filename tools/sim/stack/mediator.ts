import type { Canonical } from "@chorus/kernel";
import type { Result, Task } from "../tasks/machine.ts";
import type { Command } from "./commands.ts";
import { digestOf, effectKeyOf, type EffectRecord, isSameToken, kindOf } from "./effect-core.ts";
import type { Effectors, Resolution } from "./effector.ts";
import { Scope, type TaskPeer } from "./drivers.ts";

const NO_LEADER_PAUSE_MS = 250;
const LOOK_AGAIN_MS = 300;

interface Leased {
  readonly task: Task;
  readonly lease: NonNullable<Task["lease"]>;
}

interface MediatorPorts {
  readonly peer: TaskPeer;
  readonly effectors: Effectors;
  /** Ends with the lease. */
  readonly scope: Scope;
  readonly done: (outcome: "carried-out" | "failed") => void;
}

/** Intent, permit, look, act, receipt for each declared effect of one run, in the order of the package's `Mediator`. */
export class Mediator {
  readonly #leased: Leased;
  readonly #ports: MediatorPorts;
  /** What is true is told also when the lease is lost. */
  readonly #process: Scope;

  constructor(leased: Leased, ports: MediatorPorts) {
    this.#leased = leased;
    this.#ports = ports;
    this.#process = new Scope(ports.peer.host);
  }

  carryOut(): void {
    this.#next(0);
  }

  #next(at: number): void {
    const declared = this.#leased.task.spec.effects?.[at];
    if (declared === undefined) this.#ports.done("carried-out");
    else this.#permit(at, declared.slot, declared.target);
  }

  #permit(at: number, slot: string, target: string): void {
    const { task, lease } = this.#leased;
    const intent = { slot, ordinal: 0, target, digest: digestOf(task.id, lease.attempt) };
    this.#order("effect-intent", intent, (result) => {
      const effect = result.status === "applied" ? result.effect : undefined;
      if (effect?.state === "done") this.#next(at + 1);
      else if (effect?.state === "permitted") this.#permitted(at, effect);
      else if (
        effect?.state === "awaiting-approval" ||
        (result.status === "refused" && result.refusal === "paused")
      )
        this.#ports.scope.after(LOOK_AGAIN_MS, () => this.#permit(at, slot, target));
      else this.#ports.done("failed");
    });
  }

  #permitted(at: number, effect: EffectRecord): void {
    const looks = effect.tried === true && this.#ports.peer.mutant !== "resolveSkipped";
    if (!looks) this.#confirm(at, effect);
    else
      this.#lookFor(effect, (resolution) => {
        if (resolution === "done") this.#receipt(at, effect);
        else if (resolution === "unknown") this.#uncertain(effect);
        else if (resolution === undefined) this.#ports.done("failed");
        else this.#confirm(at, effect);
      });
  }

  #lookFor(effect: EffectRecord, then: (resolution: Resolution | undefined) => void): void {
    this.#ports.effectors.resolve(this.#effectOf(effect), (resolution) => {
      if (!this.#ports.scope.isOver) then(resolution);
    });
  }

  /** The last thing before the act: a look that no older state can answer. */
  #confirm(at: number, effect: EffectRecord): void {
    const { peer, scope } = this.#ports;
    const isPermitted = peer.run.isPermitted(this.#leased.task.id, effect);
    if (peer.mutant === "noPermitCheck") {
      this.#act(at, effect, isPermitted);
      return;
    }
    peer.read((isCurrent) => {
      if (scope.isOver) return;
      if (!isCurrent) scope.after(NO_LEADER_PAUSE_MS, () => this.#confirm(at, effect));
      else this.#look(at, effect, isPermitted);
    });
  }

  #look(at: number, effect: EffectRecord, isPermitted: boolean): void {
    const { peer, scope } = this.#ports;
    const { task, lease } = this.#leased;
    const record = peer.record(task.id);
    const now = record?.effects?.find(({ key }) => key === effect.key);
    const isHeld = isSameToken(record?.lease?.token, lease.token);
    if (!isHeld || now?.state !== "permitted" || !isSameToken(now.token, lease.token)) return;
    if (record?.state === "paused") scope.after(LOOK_AGAIN_MS, () => this.#confirm(at, effect));
    else this.#act(at, effect, isPermitted);
  }

  /** @param isPermitted whether the permit held, as only the simulation knows, when it was last looked for */
  #act(at: number, effect: EffectRecord, isPermitted: boolean): void {
    const { peer, effectors, scope } = this.#ports;
    if (!isPermitted)
      peer.run.break("no act without a permit", `${this.#leased.task.id.slice(0, 6)} ${effect.slot}`);
    effectors.act(this.#effectOf(effect), (isDone) => {
      if (isDone) this.#receipt(at, effect);
      else if (!scope.isOver) this.#afterFailure(at, effect);
    });
  }

  /** It may have happened: the target is asked, memory is not. */
  #afterFailure(at: number, effect: EffectRecord): void {
    this.#lookFor(effect, (resolution) => {
      if (resolution === "done") this.#receipt(at, effect);
      else if (resolution === "unknown") this.#uncertain(effect);
      else this.#ports.done("failed");
    });
  }

  /** A fact is told also when the lease is lost meanwhile. */
  #receipt(at: number, { key, token }: EffectRecord): void {
    const { term, index } = token;
    const { task } = this.#leased;
    const receipt = { type: "effect-receipt", task: task.id, token: { term, index }, key, receipt: RECEIPT };
    this.#ports.peer.insist(receipt, this.#process, () => {
      if (!this.#ports.scope.isOver) this.#next(at + 1);
    });
  }

  #uncertain({ key }: EffectRecord): void {
    this.#order("effect-uncertain", { key, reason: "the target cannot be asked" }, () =>
      this.#ports.done("failed"),
    );
  }

  #order(type: string, members: Readonly<Record<string, Canonical>>, then: (result: Result) => void): void {
    const { term, index } = this.#leased.lease.token;
    const command: Command = { type, task: this.#leased.task.id, token: { term, index }, ...members };
    this.#ports.peer.insist(command, this.#ports.scope, ({ result }) => {
      if (result !== undefined) then(result);
    });
  }

  #effectOf(record: EffectRecord) {
    const { task } = this.#leased;
    const kind = kindOf(record.kind);
    const key =
      this.#ports.peer.mutant === "keyFromDigest" ? record.digest : effectKeyOf(task.id, record.slot, 0);
    return { kind, key, task: task.id, record };
  }
}

export const RECEIPT = { reference: "as the target says" };
