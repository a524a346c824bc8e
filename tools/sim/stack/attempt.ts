import type { Canonical } from "@chorus/kernel";
import type { Task } from "../tasks/machine.ts";
import { cidFor, type Command, resultOf } from "./commands.ts";
import type { Effectors } from "./effector.ts";
import { Mediator } from "./mediator.ts";
import { Scope, type TaskPeer } from "./drivers.ts";

const RENEWALS = 4;
/** The longest run. */
const RUN_MS = 2000;

interface Leased {
  readonly task: Task;
  readonly lease: NonNullable<Task["lease"]>;
}

/** One attempt under its lease: renewals from the runtime, the run itself, its outcome. */
export class Attempt {
  readonly #peer: TaskPeer;
  readonly #effectors: Effectors;
  readonly #leased: Leased;
  readonly #ended: () => void;
  readonly #scope: Scope;
  readonly #renewals: Scope;
  /** What this attempt tries to commit. */
  #made: string | undefined;

  constructor(
    { peer, effectors }: { readonly peer: TaskPeer; readonly effectors: Effectors },
    leased: Leased,
    ended: () => void,
  ) {
    this.#peer = peer;
    this.#effectors = effectors;
    this.#leased = leased;
    this.#ended = ended;
    this.#scope = new Scope(peer.host);
    this.#renewals = new Scope(peer.host);
  }

  start(): void {
    const { random } = this.#peer.host;
    this.#keepLease();
    const length = Math.ceil(random() ** 2 * RUN_MS);
    for (let step = random(); step < 0.5; step += random())
      this.#scope.after(length * step, () => this.#progress());
    const fate = random();
    const isByHand = this.#leased.lease.manual === true;
    this.#scope.after(length, () => {
      if (isByHand && fate > 0.6) this.#handBack();
      else if (fate > 0.96) this.#ask();
      else if (fate < 0.12) this.#fail();
      else if (fate < 0.25) this.#complete("failed");
      else this.#carryOut();
    });
  }

  /** Another lease, or none: this attempt is over, unless it was its own commit that ended it. */
  see({ id, lease, finishedBy }: Task): void {
    const { index } = this.#leased.lease.token;
    if (id === this.#leased.task.id && index !== lease?.token.index && index !== finishedBy?.index) {
      this.#keepEvidence();
      this.#end();
    }
  }

  #keepLease(): void {
    const { ttlMs } = this.#leased.lease;
    this.#renewals.after(ttlMs / RENEWALS, () => {
      this.#peer.once(this.#command("task-renew"), (answer) => {
        if (answer?.result?.status === "refused") this.#end();
      });
      this.#keepLease();
    });
  }

  #progress(): void {
    const step = { phase: "command-started", message: "one step" };
    this.#peer.once(this.#command("task-progress", { step }), () => undefined);
  }

  /** What the task declared is done outside, then it is committed. */
  #carryOut(): void {
    const { task, lease } = this.#leased;
    const done = (outcome: "carried-out" | "failed"): void => {
      if (this.#scope.isOver) return;
      if (outcome === "failed") this.#fail();
      else this.#complete("succeeded");
    };
    const ports = { peer: this.#peer, effectors: this.#effectors, scope: this.#scope, done };
    new Mediator({ task, lease }, ports).carryOut();
  }

  #handBack(): void {
    this.#insist(this.#command("task-hand-back", { reason: "not for me" }));
  }

  #ask(): void {
    this.#insist(this.#command("task-ask", { for: "input", question: "which one?" }));
  }

  #insist(command: Command): void {
    this.#peer.insist(command, this.#scope, () => this.#end());
  }

  #fail(): void {
    const reason = { code: "sim/failed", message: "it could not be carried out" };
    this.#insist(this.#command("task-fail", { reason }));
  }

  #complete(outcome: "succeeded" | "failed"): void {
    const cid = cidFor(this.#peer.host.random() * 64);
    const result = resultOf(outcome, cid);
    this.#made = cid;
    this.#peer.insist(this.#command("task-complete", { result }), this.#scope, ({ result: answer }) => {
      if (answer?.status === "refused" && answer.refusal === "fenced") this.#keepEvidence();
      this.#end();
    });
  }

  /** Work that lost is kept: the ledger says whose attempt it was. */
  #keepEvidence(): void {
    if (this.#made === undefined) return;
    const evidence = { address: "ucxl://sim/task/worker/agent/@v1", cid: this.#made };
    this.#made = undefined;
    this.#peer.insist(this.#command("task-evidence", evidence), new Scope(this.#peer.host), () => undefined);
  }

  #end(): void {
    if (this.#scope.isOver) return;
    this.#scope.end();
    this.#renewals.end();
    this.#ended();
  }

  #command(type: string, members: Readonly<Record<string, Canonical>> = {}): Command {
    const { term, index } = this.#leased.lease.token;
    return { type, task: this.#leased.task.id, token: { term, index }, ...members };
  }
}
