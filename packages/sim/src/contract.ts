/** What a node of the simulated mesh may touch: all of it is simulated, and all chance in it comes from the seed. */
export interface Host<Message> {
  /** This node; nodes are numbered from 0. */
  readonly self: number;
  readonly nodes: number;
  readonly disk: Disk;
  /** This machine's monotonic clock, milliseconds. Starts anywhere, drifts, and counts the time spent suspended. */
  readonly now: () => number;
  /** The same clock without the time spent suspended, as `performance.now()` is on Linux. Timers run by it. */
  readonly awake: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Returns at once; the message may be lost. It is handed over as it is, so nobody may change it afterwards. */
  readonly send: (to: number, message: Message) => void;
  /** Calls back after at least `delayMs` of {@link awake}. @returns what cancels it */
  readonly after: (delayMs: number, callback: () => void) => () => void;
  /** A line for the trace, which is otherwise made of events alone. */
  readonly note: (text: string) => void;
}

/**
 * Files of one machine. Reads see every write; only what was there at the last {@link sync} is sure to survive a
 * power cut. Of the rest, nothing, some or parts survive, in any combination, as on real disks.
 */
export interface Disk {
  /** @returns undefined when there is no such file */
  read(file: string): Uint8Array | undefined;
  /** Replaces the whole content. Not atomic: after a power cut the file may hold a part of it. @throws `sim/disk-full` */
  write(file: string, bytes: Uint8Array): void;
  /** @throws `sim/disk-full` */
  append(file: string, bytes: Uint8Array): void;
  /** Atomic. Does nothing when `from` is not there. */
  rename(from: string, to: string): void;
  remove(file: string): void;
  /** Makes everything durable. A crash may strike here, before it is. */
  sync(): void;
  list(): readonly string[];
}

/** A started node. It must touch nothing but its host, or runs would differ. */
export interface Process<Message> {
  message(from: number, message: Message): void;
  /** The peer's process began, or ended so that its system could still close the connection. Partitions are silent. */
  connection?(peer: number, open: boolean): void;
}

/** What is simulated, and what must hold. */
export interface System<Message, Running extends Process<Message> = Process<Message>> {
  /** Starts a node's process, and starts it again after a crash; what it remembers is on `host.disk`. */
  readonly boot: (host: Host<Message>) => Running;
  /**
   * Must never be violated: called after every event, each answers what is wrong or undefined. Made anew for each run,
   * so that an invariant may remember what it saw.
   */
  readonly invariants?: () => Readonly<Record<string, (world: World<Running>) => string | undefined>>;
  /** Must become true within `healWithinMs` once all faults are over, and be true at the end. */
  readonly eventually?: Readonly<Record<string, (world: World<Running>) => boolean>>;
  /** What a user may do to a running node; the schedule holds such actions beside the faults. */
  readonly actions?: Readonly<Record<string, (running: Running, choice: number) => void>>;
  /** The node that faults should strike more often than others: a leader, for example. */
  readonly leader?: (world: World<Running>) => number | undefined;
  /**
   * Faults that hurt together, at times counted from the pattern's start: what an adversary who knows the protocol
   * would try. The schedule holds them at times of its choice.
   */
  readonly patterns?: readonly ((random: () => number, nodes: number) => readonly Fault[])[];
  /** A message in the trace. @default its JSON */
  readonly describe?: (message: Message) => string;
}

/** The mesh as only the simulation sees it: every node at the same real instant. */
export interface World<Running> {
  /** Real milliseconds since the start. */
  readonly now: number;
  readonly nodes: readonly WorldNode<Running>[];
  /** The node of the event that was just handled; undefined when it concerned none. */
  readonly touched: number | undefined;
  /** All faults are over. */
  readonly healed: boolean;
}

/** One machine of the {@link World}. */
export interface WorldNode<Running> {
  readonly id: number;
  /** Undefined while the node is down. */
  readonly running: Running | undefined;
  /** Paused or suspended: it acts on nothing until it goes on. */
  readonly frozen: boolean;
  /** Its {@link Host.now}. */
  now(): number;
  /** What its disk would hold if the power were cut now. */
  durable(file: string): Uint8Array | undefined;
}

/** A node, or whoever is {@link System.leader} when the fault strikes. */
export type Target = number | "leader";

interface Timed {
  /** Real milliseconds since the start. */
  readonly at: number;
  readonly forMs: number;
}

/** One entry of a schedule. Faults end by themselves, at the latest when the mesh is healed. */
export type Fault =
  /**
   * The process ends and starts again after `forMs`. Unsynced writes are `kept` (the process was killed), `lost` or
   * `torn` (the machine lost power). `at-sync`: it happens inside the next call of `sync` within `forMs`.
   */
  | (Timed & {
      readonly kind: "crash";
      readonly node: Target;
      readonly unsynced: "kept" | "lost" | "torn";
      readonly moment: "now" | "at-sync";
    })
  /** `pause`: timers and messages wait, clocks go on. `suspend`: timers wait, messages are lost, `awake` stops. */
  | (Timed & { readonly kind: "pause" | "suspend"; readonly node: Target })
  /** `full-disk`: writes throw. `lost-sync`: `sync` returns and has done nothing. */
  | (Timed & { readonly kind: "full-disk" | "lost-sync"; readonly node: Target })
  /** The node's clocks run `rate` times as fast as real time. Goes on after the heal. */
  | (Timed & { readonly kind: "drift"; readonly node: Target; readonly rate: number })
  /** `side` and the rest do not reach each other. */
  | (Timed & { readonly kind: "partition"; readonly side: readonly Target[] })
  /** Nothing gets from one node to the other; the way back is open. */
  | (Timed & { readonly kind: "cut"; readonly from: Target; readonly to: Target })
  | (Timed & { readonly kind: "slow"; readonly from: Target; readonly to: Target; readonly byMs: number })
  /** Everywhere, to each message with this chance. Reordered ones are overtaken by those sent after them. */
  | (Timed & { readonly kind: "drop" | "duplicate" | "reorder"; readonly chance: number })
  | {
      readonly kind: "action";
      readonly at: number;
      readonly node: Target;
      readonly name: string;
      /** Given to the action, in [0, 1). */
      readonly choice: number;
    };

/** Tuning of a simulator. */
export interface SimOptions {
  /** @default 3 */
  readonly nodes?: number;
  /** Real milliseconds of one run. @default 60_000 */
  readonly durationMs?: number;
  /** How long before the end all faults are over. @default 20_000 */
  readonly healMs?: number;
  /** For `eventually`, from the heal on. @default 10_000 */
  readonly healWithinMs?: number;
  /** Mean time between two faults. @default 2_000 */
  readonly faultEveryMs?: number;
  /** The longest fault. @default 10_000 */
  readonly faultMs?: number;
  /** Relative frequencies; 0 leaves a kind out. @default 1 each, `crash` and `partition` 3, `lost-sync` 0 */
  readonly weights?: Readonly<Partial<Record<Fault["kind"] | "pattern", number>>>;
  /** Shortest and longest way of a message over a healthy link; links keep the order. @default [1, 20] */
  readonly delayMs?: readonly [number, number];
  /** Clocks run at 1 ± this. @default 0.01 */
  readonly drift?: number;
}

/** All that decides a run of one {@link System}. */
export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly durationMs: number;
  readonly faults: readonly Fault[];
}

/** What came of a {@link Plan}. */
export interface Run extends Plan {
  /** The first one; the run ends with it. */
  readonly violation:
    | {
        /** The key of the invariant, or `threw` when a node threw. */
        readonly name: string;
        readonly text: string;
        /** Real milliseconds since the start. */
        readonly at: number;
      }
    | undefined;
  /** Events handled. */
  readonly events: number;
  /** Over all events and notes: equal for equal runs. */
  readonly hash: string;
  /** Empty unless the run was replayed. */
  readonly trace: readonly string[];
}

/** Runs one {@link System} under faults. It holds no state: any call may be repeated, and answers the same. */
export interface Simulator {
  /** The faults come from the seed. */
  run(seed: number): Run;
  /** Does a plan, such as an earlier {@link Run}, with its trace. */
  replay(plan: Plan): Run;
  /**
   * The smallest run found that violates the same invariant: fewer faults, fewer nodes, less time. With its trace.
   * Gives a run without violation back as it is.
   */
  shrink(run: Run): Run;
  /** The first seed that violates something, shrunk; undefined when none does. */
  search(seeds: { readonly from?: number; readonly count: number }): Run | undefined;
}
