import { ChorusError } from "@chorus/kernel";
import type { CommandResult, LedgerPort } from "../contract-ports.ts";
import { type TaskMachine, taskMachine } from "../core/task-machine.ts";

interface Entry {
  readonly index: number;
  readonly term: number;
  readonly command: Uint8Array;
}

/** One peer's view of the shared order. */
export interface MemoryLedger extends LedgerPort {
  /** True: the peer hears of no new entries, as if its process stood still or its link were cut. */
  deaf: boolean;
  /** True: its proposals wait until it is set to false again, then are ordered. */
  mute: boolean;
}

/** A ledger inside one process: one order, any number of peers, a leader that can be taken away. */
export interface MemoryLedgers {
  /** A peer with its own copy of the state, brought up to date at once. */
  join(): MemoryLedger;
  /** A new leader in the next term; with none before, proposals are taken again. */
  elect(): void;
  /** No leader: proposals fail with a retryable error. */
  depose(): void;
  /** Everything that was ordered. */
  readonly log: readonly Entry[];
}

/** Nobody orders anything now. */
export class NoLeaderError extends ChorusError {
  readonly code = "memory-ledger/no-leader";
  constructor() {
    super("there is no leader", { retryable: true });
  }
}

/** Starts with a leader in term 1. @param options.cluster must be the coordinators' own */
export function memoryLedgers(options: { readonly cluster: string }): MemoryLedgers {
  const machine = taskMachine(options);
  const sequencer = new Replica(machine);
  const members: Member[] = [];
  const log: Entry[] = [];
  let term = 1;
  let led = true;

  function order(command: Uint8Array): { entry: Entry; result: CommandResult } {
    if (!led) throw new NoLeaderError();
    const entry = { index: log.length + 1, term, command: command.slice() };
    log.push(entry);
    const result = sequencer.apply(entry);
    for (const member of members) member.catchUp();
    return { entry, result };
  }

  return {
    log,
    join() {
      const member = new Member(machine, log, (command) => {
        const { entry, result } = order(command);
        return { index: entry.index, term: entry.term, replicas: members.length, result };
      });
      members.push(member);
      member.catchUp();
      return member;
    },
    elect() {
      term++;
      led = true;
    },
    depose() {
      led = false;
    },
  };
}

class Replica {
  readonly #machine: TaskMachine;
  state: ReturnType<TaskMachine["initial"]>;
  applied = 0;

  constructor(machine: TaskMachine) {
    this.#machine = machine;
    this.state = machine.initial();
  }

  apply(entry: Entry): CommandResult {
    const { state, result } = this.#machine.apply(this.state, entry);
    this.state = state;
    this.applied = entry.index;
    return result;
  }
}

type Ordered = Awaited<ReturnType<LedgerPort["propose"]>>;

class Member implements MemoryLedger {
  readonly #replica: Replica;
  readonly #log: readonly Entry[];
  readonly #order: (command: Uint8Array) => Ordered;
  #deaf = false;
  #mute = false;
  #changed = Promise.withResolvers<void>();

  constructor(machine: TaskMachine, log: readonly Entry[], order: (command: Uint8Array) => Ordered) {
    this.#replica = new Replica(machine);
    this.#log = log;
    this.#order = order;
  }

  get deaf(): boolean {
    return this.#deaf;
  }

  set deaf(deaf: boolean) {
    this.#deaf = deaf;
    this.catchUp();
  }

  get mute(): boolean {
    return this.#mute;
  }

  set mute(mute: boolean) {
    this.#mute = mute;
    this.#beat();
  }

  catchUp(): void {
    if (!this.#deaf) for (const entry of this.#log.slice(this.#replica.applied)) this.#replica.apply(entry);
    this.#beat();
  }

  state(): ReturnType<LedgerPort["state"]> {
    return this.#replica.state;
  }

  appliedIndex(): number {
    return this.#replica.applied;
  }

  async propose(command: Uint8Array, { signal }: { readonly signal: AbortSignal }): Promise<Ordered> {
    while (this.#mute) await this.#next(signal);
    signal.throwIfAborted();
    return this.#order(command);
  }

  async *entries({
    from,
    signal,
  }: {
    readonly from: number;
    readonly signal: AbortSignal;
  }): AsyncGenerator<Entry> {
    for (let next = from; !signal.aborted; ) {
      const entry = next <= this.#replica.applied ? this.#log[next - 1] : undefined;
      if (entry === undefined) await this.#next(signal).catch(() => undefined);
      else {
        yield entry;
        next++;
      }
    }
  }

  async waitFor(index: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (this.#replica.applied < index) await this.#next(signal);
  }

  #beat(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  /** Resolves at the next change; rejects with the signal's reason. */
  async #next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#changed.promise, promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
