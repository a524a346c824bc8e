import type { Fault, Plan, Process, Run, System, Target, World } from "./contract.ts";
import { type Stage, strike } from "./faults.ts";
import { Machine, type Timer } from "./machine.ts";
import { Network } from "./network.ts";
import { type Queue, queue } from "./queue.ts";
import { Recorder } from "./recorder.ts";
import type { Settings } from "./schedule.ts";
import { Watch } from "./watch.ts";

/** Between the starts of two nodes. */
const START_MS = 10;

/** Something that is going to happen. @returns the node that it concerned, or false when it came to nothing */
type Event = () => number | undefined | false;

/** One run of one plan. */
export class Simulation<Message, Running extends Process<Message>> implements World<Running>, Stage {
  readonly nodes: readonly Machine<Message, Running>[];
  readonly network: Network;
  now = 0;
  touched: number | undefined;
  healed = false;
  readonly #system: System<Message, Running>;
  readonly #plan: Plan;
  readonly #settings: Settings;
  readonly #queue: Queue<Event> = queue();
  readonly #recorder: Recorder;
  readonly #watch: Watch<Running>;

  constructor(system: System<Message, Running>, plan: Plan, options: { settings: Settings; trace: boolean }) {
    const { settings, trace } = options;
    this.#system = system;
    this.#plan = plan;
    this.#settings = settings;
    this.#recorder = new Recorder(trace);
    this.network = new Network(plan.nodes, plan.seed, settings.delayMs);
    const around = {
      seed: plan.seed,
      nodes: plan.nodes,
      boot: system.boot,
      real: () => this.now,
      send: (from: number, to: number, message: Message) => this.#send(from, to, message),
      alarm: (at: number, timer: Timer) => this.#alarm(at, timer),
      note: (node: number, text: string) => this.#recorder.note(this.now, node, text),
    };
    this.nodes = Array.from({ length: plan.nodes }, (_, id) => new Machine(id, around));
    this.#watch = new Watch(system, this, settings.healWithinMs);
  }

  run(): Run {
    const { durationMs } = this.#plan;
    this.#prepare();
    let events = 0;
    for (;;) {
      const next = this.#queue.takeUntil(durationMs);
      if (next === undefined || this.#watch.violation !== undefined) break;
      this.now = next.at;
      events++;
      this.#handle(next.item);
    }
    if (this.#watch.violation === undefined) {
      this.now = durationMs;
      this.#watch.end();
    }
    const { violation } = this.#watch;
    return { ...this.#plan, violation, events, hash: this.#recorder.hash(), trace: this.#recorder.lines };
  }

  readonly resolve = (target: Target): Machine<Message, Running> | undefined => {
    const node = target === "leader" ? this.#system.leader?.(this) : target;
    return node === undefined ? undefined : this.nodes[node];
  };

  stop({ id }: { readonly id: number }, unsynced: "kept" | "lost" | "torn"): void {
    const machine = this.nodes[id];
    if (machine === undefined) return;
    const killed = machine.running !== undefined && unsynced === "kept";
    this.#recorder.line(this.now, `${id} stops`);
    machine.stop(unsynced);
    // A machine without power closes no connection.
    if (killed) this.#connections(id, false);
  }

  settle({ id }: { readonly id: number }): void {
    const machine = this.nodes[id];
    if (machine === undefined) return;
    this.#later(this.now, () => this.#start(machine));
    if (machine.frozen) return;
    for (const handle of machine.release())
      this.#later(this.now, () => {
        // What waited for a process that has ended, or is frozen again, is lost with it.
        if (machine.running === undefined || machine.frozen) return false;
        machine.alive(handle);
        return id;
      });
  }

  act({ id }: { readonly id: number }, name: string, choice: number): void {
    const action = this.#system.actions?.[name];
    if (action !== undefined)
      this.#later(this.now, () => this.#deliver(id, (running) => action(running, choice)));
  }

  #prepare(): void {
    const { durationMs, healMs, healWithinMs } = this.#settings;
    const healAt = durationMs - healMs;
    for (const machine of this.nodes)
      this.#later(START_MS * machine.id, () => {
        machine.down--;
        return this.#start(machine);
      });
    for (const fault of this.#plan.faults) {
      // A clock that drifts is not repaired by anyone.
      const end = fault.kind === "drift" ? durationMs : healAt;
      if (fault.at < end) this.#later(fault.at, () => this.#begin(fault, end));
    }
    const heal = (): undefined => {
      this.healed = true;
      this.#recorder.line(this.now, "all faults are over");
    };
    // Twice: behind the faults that end in this moment.
    this.#later(healAt, () => {
      this.#later(healAt, heal);
      return false;
    });
    this.#later(healAt + healWithinMs, () => {
      this.#watch.deadline();
      return false;
    });
  }

  #begin(fault: Fault, latest: number): undefined {
    const recorder = this.#recorder;
    recorder.fault(this.now, fault, "strikes");
    const over = strike(fault, this);
    if (fault.kind === "action") return;
    if (over === undefined) recorder.fault(this.now, fault, "finds nobody");
    else
      this.#later(Math.min(fault.at + fault.forMs, latest), () => {
        recorder.fault(this.now, fault, "is over");
        over();
        return undefined;
      });
  }

  #handle(event: Event): void {
    let touched: number | undefined | false;
    try {
      touched = event();
    } catch (error) {
      this.#watch.threw(error);
      return;
    }
    if (touched === false) return;
    this.touched = touched;
    this.#recorder.event(this.now, touched ?? this.nodes.length);
    this.#watch.check();
  }

  #later(at: number, event: Event): void {
    this.#queue.add(at, event);
  }

  #start(machine: Machine<Message, Running>): number | false {
    if (machine.running !== undefined || machine.down > 0 || machine.suspended > 0) return false;
    const { id } = machine;
    this.#recorder.line(this.now, `${id} starts`);
    if (machine.boot()) this.#connections(id, true);
    return id;
  }

  /** Others learn what the node's system could tell them; the node itself finds out about those that are there. */
  #connections(id: number, open: boolean): void {
    for (const { id: other } of this.nodes) {
      if (other === id) continue;
      this.#notify(id, other, open);
      if (open) this.#notify(other, id, open);
    }
  }

  #notify(about: number, id: number, open: boolean): void {
    const { network } = this;
    if (!network.open(about, id) || !network.open(id, about)) return;
    if (open && this.nodes[about]?.running === undefined) return;
    network.route(about, id, {
      now: this.now,
      arrive: (at) =>
        this.#later(at, () => this.#deliver(id, (running) => running.connection?.(about, open))),
    });
  }

  #send(from: number, to: number, message: Message): void {
    if (this.nodes[to] === undefined) throw new RangeError(`there is no node ${to}`);
    const receive = (running: Running): void => {
      if (this.#recorder.tracing) this.#recorder.line(this.now, `${from} → ${to}  ${this.#text(message)}`);
      running.message(from, message);
    };
    const event = (): number | false => this.#deliver(to, receive);
    this.network.route(from, to, { now: this.now, arrive: (at) => this.#later(at, event) });
  }

  #text(message: Message): string {
    return (this.#system.describe ?? JSON.stringify)(message);
  }

  #deliver(id: number, handle: (running: Running) => void): number | false {
    const machine = this.nodes[id];
    const running = machine?.running;
    if (machine === undefined || running === undefined || machine.suspended > 0) return false;
    if (machine.paused > 0) {
      machine.hold(false, () => handle(running));
      return false;
    }
    machine.alive(() => handle(running));
    return id;
  }

  #alarm(at: number, timer: Timer): void {
    const { version, node } = timer;
    this.#later(at, () => {
      const machine = this.nodes[node];
      if (machine === undefined || !machine.expire(timer, version)) return false;
      if (machine.paused > 0) {
        machine.hold(true, timer.callback);
        return false;
      }
      machine.alive(timer.callback);
      return node;
    });
  }
}
