import type { Components, CoordinatorOptions } from "./contract.ts";
import type { TaskRecord } from "./contract-ports.ts";
import type { Pulse } from "./pulse.ts";
import type { Proposer } from "./proposer.ts";

/** Options with their defaults filled in. */
export interface Settings extends CoordinatorOptions {
  readonly leaseMs: number;
  readonly claimStepMs: number;
  readonly submitWaitMs: number;
  readonly ageMs: number;
}

/** What the parts of one coordinator share. */
export interface Peer {
  readonly components: Components;
  readonly settings: Settings;
  readonly proposer: Proposer;
  readonly background: Background;
  /** Names this start of the process. */
  readonly session: string;
  /** Beats when a connection was lost: whoever is still there gives a sign of life. */
  readonly disconnects: Pulse;
  /** Fires when the coordinator is disposed. */
  readonly stop: AbortSignal;
  /** A task as this peer's ledger has it now. */
  record(id: string): TaskRecord | undefined;
}

/** Part of a coordinator that follows the tasks: told of each new or changed one, in the ledger's order. */
export interface Follower {
  see(record: TaskRecord): void;
}

/** Work that nobody waits for until the end; a failure is logged, once, unless it comes of stopping. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #stop: AbortSignal;
  readonly #onError: (name: string, error: unknown) => void;

  constructor(stop: AbortSignal, onError: (name: string, error: unknown) => void) {
    this.#stop = stop;
    this.#onError = onError;
  }

  run(name: string, work: Promise<unknown>): void {
    const watched = this.#watch(name, work).finally(() => this.#running.delete(watched));
    this.#running.add(watched);
  }

  /** Resolves when everything that was started has ended. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #watch(name: string, work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!this.#stop.aborted) this.#onError(name, error);
    }
  }
}
