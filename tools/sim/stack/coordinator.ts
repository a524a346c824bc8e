import type { PeerId } from "@chorus/kernel";
import type { Host } from "@chorus/sim";
import type { Task } from "../tasks/machine.ts";
import { type Command, seal } from "./commands.ts";
import { type Answer, type Follower, LEASE_MS, type Scope, type TaskPeer } from "./drivers.ts";
import { DeadlineWatch } from "./deadline-watch.ts";
import { Effectors } from "./effector.ts";
import { EffectWatch } from "./effect-watch.ts";
import { Entry } from "./entry.ts";
import type { Step } from "./history.ts";
import { LeaseWatch } from "./lease-watch.ts";
import type { StackLedger } from "./ledger.ts";
import type { Run } from "./run.ts";
import { TargetCalls } from "./target-calls.ts";
import { isTerminal } from "./task-core.ts";
import type { ClientMessage, Wire } from "./wire.ts";
import { Worker } from "./worker.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

interface CoordinatorPorts {
  readonly self: PeerId;
  readonly mesh: { readonly peers: readonly PeerId[] };
  readonly run: Run;
  readonly mutant: string | undefined;
  readonly ledger: () => StackLedger;
}

/** The coordinator of one simulated peer: what the package's does around the machine, without its promises. */
export class StackCoordinator implements TaskPeer {
  readonly host: Host<Wire>;
  readonly self: PeerId;
  readonly run: Run;
  readonly mutant: string | undefined;
  readonly session: string;
  readonly #ports: CoordinatorPorts;
  readonly #tasks = new Map<string, Task>();
  readonly #connected = new Set<PeerId>();
  readonly calls: TargetCalls;
  #parts: readonly Follower[] = [];
  #entry: Entry | undefined;
  #watch: LeaseWatch | undefined;

  constructor(host: Host<Wire>, ports: CoordinatorPorts) {
    this.host = host;
    this.#ports = ports;
    this.self = ports.self;
    this.run = ports.run;
    this.mutant = ports.mutant;
    this.calls = new TargetCalls(host);
    this.session = Math.floor(host.random() * 2 ** 31).toString(36);
  }

  /** The log is open, and what it holds is applied. */
  start(): void {
    this.#entry = new Entry(this);
    this.#watch = new LeaseWatch(this);
    const effectors = new Effectors(this.calls);
    const watches = [this.#watch, new EffectWatch(this, effectors), new DeadlineWatch(this)];
    this.#parts = [this.#entry, new Worker(this, effectors), ...watches];
    for (const task of this.#tasks.values())
      if (!isTerminal(task.state) || task.effects !== undefined) this.#tell(task);
  }

  apply({ changed }: Step): void {
    for (const task of changed) {
      this.#tasks.set(task.id, task);
      this.#tell(task);
    }
  }

  /** Only the newest record of each task is told, as one who starts from a snapshot knows no steps. */
  restore(steps: readonly Step[]): void {
    const newest = new Map(steps.flatMap(({ changed }) => changed.map((task) => [task.id, task] as const)));
    for (const [id, task] of newest) {
      if (this.#tasks.get(id) === task) continue;
      this.#tasks.set(id, task);
      this.#tell(task);
    }
  }

  record(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  peers(): readonly PeerId[] {
    return [...this.#connected];
  }

  onConnection(node: number, open: boolean): void {
    const peer = this.#ports.mesh.peers[node];
    if (peer === undefined) return;
    if (open) this.#connected.add(peer);
    else if (this.#connected.delete(peer)) this.#watch?.onDisconnect(peer);
  }

  onClient(from: number, message: ClientMessage): void {
    if (message.kind === "submit") this.#submit(from, message.request);
    else if (message.kind === "cancel") this.#cancel(from, message.task);
    else if (message.kind === "order") this.once(message.command, () => undefined);
    else if (message.kind === "take-over") {
      const { session } = this;
      const command = {
        type: "task-takeover",
        task: message.task,
        reason: "by hand",
        ttlMs: LEASE_MS,
        session,
      };
      this.once(command, () => undefined);
    }
  }

  /** Real time, a second early or late. */
  wallClock(): number {
    return Math.max(0, Math.floor(this.run.now) + 300 * ((this.host.self * 5) % 7) - 900);
  }

  once(command: Command, done: (answer: Answer) => void): void {
    const { self, run } = this;
    const at = this.wallClock();
    const bytes = seal(command, self, at);
    const name = this.#ports.ledger().propose(bytes, (outcome) => {
      if (!("index" in outcome)) done(undefined);
      else done({ index: outcome.index, result: run.history.steps[outcome.index - 1]?.result });
    });
    run.sent.set(name, { command, from: self, at });
  }

  insist(command: Command, scope: Scope, done: (answer: NonNullable<Answer>) => void): void {
    const attempt = (pauseMs: number): void =>
      this.once(command, (answer) => {
        if (scope.isOver) return;
        if (answer !== undefined) done(answer);
        else scope.after(pauseMs, () => attempt(Math.min(2 * pauseMs, LONGEST_PAUSE_MS)));
      });
    attempt(FIRST_PAUSE_MS);
  }

  read(done: (current: boolean) => void): void {
    this.#ports.ledger().read(done);
  }

  #submit(from: number, number: number): void {
    const request = this.run.clients.requests[number];
    if (request === undefined) return;
    this.#entry?.submit(request, (status) =>
      this.host.send(from, { via: "client", message: { kind: "ack", request: number, status } }),
    );
  }

  /** A cancellation has to be ordered after the task it cancels. */
  #cancel(from: number, task: string): void {
    this.#entry?.offer(task, () => {
      const command = { type: "task-cancel", task, reason: "no longer wanted" };
      this.once(command, (answer) => {
        const state = answer?.result?.state;
        if (state !== undefined)
          this.host.send(from, { via: "client", message: { kind: "canceled", task, state } });
      });
    });
  }

  #tell(task: Task): void {
    for (const part of this.#parts) part.see(task);
  }
}
