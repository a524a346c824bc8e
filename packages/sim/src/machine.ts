import { MachineClock } from "./clock.ts";
import type { Disk, Host, Process, WorldNode } from "./contract.ts";
import { MachineDisk } from "./disk.ts";
import { mix, sequence, type Random } from "./random.ts";

/** What a machine needs of the simulation around it. */
export interface Surroundings<Message, Running> {
  readonly seed: number;
  readonly nodes: number;
  readonly boot: (host: Host<Message>) => Running;
  readonly real: () => number;
  readonly send: (from: number, to: number, message: Message) => void;
  /** Wakes the timer's machine with it at a real time. */
  readonly alarm: (at: number, timer: Timer) => void;
  readonly note: (node: number, text: string) => void;
}

/** A callback that waits. It is set anew, under another version, whenever its machine's clock changes. */
export interface Timer {
  readonly node: number;
  /** On the `awake` clock. */
  readonly due: number;
  readonly callback: () => void;
  version: number;
  done: boolean;
}

/** Thrown out of a process by the disk when the machine dies under it. */
const DEATH = Symbol("the machine died here");

/** Something that reached a paused process. */
interface Held {
  readonly timer: boolean;
  readonly handle: () => void;
}

/** One machine: its clock and disk stay, its processes come and go. */
export class Machine<Message, Running extends Process<Message>> implements WorldNode<Running> {
  readonly id: number;
  readonly clock: MachineClock;
  readonly disk = new MachineDisk();
  running: Running | undefined;
  /** Counts processes: what an ended one still holds does nothing. */
  epoch = 0;
  /** Faults that keep it down, paused or suspended, since they overlap. Every machine is off at first. */
  down = 1;
  paused = 0;
  suspended = 0;
  /** What happens when it next syncs. */
  readonly doom = new Set<() => void>();
  readonly #around: Surroundings<Message, Running>;
  readonly #random: Random;
  readonly #timers = new Set<Timer>();
  #held: Held[] = [];

  constructor(id: number, around: Surroundings<Message, Running>) {
    this.id = id;
    this.#around = around;
    this.#random = sequence(mix(around.seed, 1000 + id));
    this.clock = new MachineClock(this.#start());
  }

  get frozen(): boolean {
    return this.paused > 0 || this.suspended > 0;
  }

  now(): number {
    return this.clock.now(this.#around.real());
  }

  durable(file: string): Uint8Array | undefined {
    return this.disk.durable(file);
  }

  /** @returns false when it died at once, by a fault in its first sync */
  boot(): boolean {
    this.epoch++;
    return this.alive(() => {
      this.running = this.#around.boot(this.#host());
    });
  }

  /** Runs a part of the process. @returns false when the machine died in it */
  alive(part: () => void): boolean {
    try {
      part();
      return true;
    } catch (thrown) {
      if (thrown !== DEATH) throw thrown;
      return false;
    }
  }

  /** Ends the process, and with it its pause. */
  stop(unsynced: "kept" | "lost" | "torn"): void {
    this.epoch++;
    this.running = undefined;
    this.paused = 0;
    this.#timers.clear();
    this.#held = [];
    this.disk.crash(unsynced, this.#random);
    if (unsynced !== "kept") this.clock.restart(this.#start(), this.#around.real());
  }

  hold(timer: boolean, handle: () => void): void {
    this.#held.push({ timer, handle });
  }

  /** What waited while the process was paused: timers and messages in an order that the system chooses. */
  release(): readonly (() => void)[] {
    const held = this.#held;
    this.#held = [];
    const timersFirst = this.#random() < 0.5;
    const first = held.filter(({ timer }) => timer === timersFirst);
    const then = held.filter(({ timer }) => timer !== timersFirst);
    return [...first, ...then].map(({ handle }) => handle);
  }

  /** After any change of the clock. */
  rearm(): void {
    for (const timer of this.#timers) this.#arm(timer);
  }

  /** @returns false when the timer was cancelled or set anew since */
  expire(timer: Timer, version: number): boolean {
    if (timer.done || timer.version !== version || !this.#timers.has(timer)) return false;
    timer.done = true;
    this.#timers.delete(timer);
    return true;
  }

  #host(): Host<Message> {
    const epoch = this.epoch;
    const { nodes, send, note } = this.#around;
    const current = (): boolean => epoch === this.epoch;
    return {
      self: this.id,
      nodes,
      disk: this.#diskOf(current),
      now: () => this.now(),
      awake: () => this.clock.awake(this.#around.real()),
      random: this.#random,
      send: (to, message) => {
        if (current()) send(this.id, to, message);
      },
      after: (delayMs, callback) => {
        if (!current()) return () => undefined;
        const due = this.clock.awake(this.#around.real()) + Math.max(0, delayMs);
        const timer: Timer = { node: this.id, due, callback, version: 0, done: false };
        this.#timers.add(timer);
        this.#arm(timer);
        return () => {
          timer.done = true;
          this.#timers.delete(timer);
        };
      },
      note: (text) => {
        if (current()) note(this.id, text);
      },
    };
  }

  /** Without a process there is no disk: whatever still calls is stopped where it is. */
  #diskOf(current: () => boolean): Disk {
    const { disk } = this;
    const living = (): MachineDisk => {
      if (!current()) throw DEATH;
      return disk;
    };
    return {
      read: (file) => living().read(file),
      write: (file, bytes) => living().write(file, bytes),
      append: (file, bytes) => living().append(file, bytes),
      rename: (from, to) => living().rename(from, to),
      remove: (file) => living().remove(file),
      list: () => living().list(),
      sync: () => {
        living();
        for (const strike of this.doom) strike();
        living().sync();
      },
    };
  }

  #arm(timer: Timer): void {
    timer.version++;
    if (this.suspended > 0) return;
    this.#around.alarm(this.clock.realOf(timer.due, this.#around.real()), timer);
  }

  #start(): number {
    return Math.floor(this.#random() * 1_000_000);
  }
}
