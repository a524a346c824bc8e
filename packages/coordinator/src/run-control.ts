import type { ExecutorControl, TaskRecord } from "./contract-ports.ts";
import { Pulse } from "./pulse.ts";

/** What the ledger says to one running attempt; asked by its executor between commands. */
export class RunControl implements ExecutorControl {
  readonly #changed = new Pulse();
  #paused: boolean;
  #steering: readonly string[];

  constructor(record: TaskRecord) {
    this.#paused = record.state === "paused";
    this.#steering = textsOf(record);
  }

  get paused(): boolean {
    return this.#paused;
  }

  steering(): readonly string[] {
    return this.#steering;
  }

  async whenRunning({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    while (this.#paused) {
      await this.#changed.next(signal);
      signal.throwIfAborted();
    }
  }

  see(record: TaskRecord): void {
    this.#paused = record.state === "paused";
    this.#steering = textsOf(record);
    this.#changed.beat();
  }
}

function textsOf({ steering = [] }: TaskRecord): readonly string[] {
  return steering.map(({ text }) => text);
}
