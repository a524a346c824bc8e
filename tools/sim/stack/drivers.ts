import type { PeerId } from "@chorus/kernel";
import type { Host } from "@chorus/sim";
import type { Result, Task } from "../tasks/machine.ts";
import type { Command } from "./commands.ts";
import type { Run } from "./run.ts";
import type { Wire } from "./wire.ts";

/** The coordinator's own defaults, or shorter where a run would be too long. */
export const LEASE_MS = 2500;
export const CLAIM_STEP_MS = 100;
export const SUBMIT_WAIT_MS = 3000;

/** What became of a command. Without a result it is not known to be ordered, and may be repeated. */
export type Answer = { readonly index: number; readonly result: Result | undefined } | undefined;

/** What the parts of one simulated coordinator share, as the package's `Peer`. */
export interface TaskPeer {
  readonly host: Host<Wire>;
  readonly self: PeerId;
  readonly run: Run;
  /** This start of the process. */
  readonly session: string;
  readonly mutant: string | undefined;
  record(id: string): Task | undefined;
  /** Connected peers. */
  peers(): readonly PeerId[];
  /** Milliseconds since the epoch, as far as this peer knows. */
  wallClock(): number;
  /** Tries once. */
  once(command: Command, done: (answer: Answer) => void): void;
  /** Tries until it is ordered, for as long as the scope lasts. */
  insist(command: Command, scope: Scope, done: (answer: NonNullable<Answer>) => void): void;
  /** True when this peer's state was newer than all that was committed when asked. */
  read(done: (current: boolean) => void): void;
}

/** Told of each new or changed task, in the ledger's order. */
export interface Follower {
  see(task: Task): void;
}

/** Work that may be called off; its timers then do nothing. */
export class Scope {
  isOver = false;
  readonly #host: Host<Wire>;

  constructor(host: Host<Wire>) {
    this.#host = host;
  }

  end(): void {
    this.isOver = true;
  }

  after(delayMs: number, callback: () => void): void {
    this.#host.after(delayMs, () => {
      if (!this.isOver) callback();
    });
  }
}
