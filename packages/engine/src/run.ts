import type { Clock, Logger } from "@chorus/kernel";
import type {
  EngineTask,
  ExecuteOptions,
  InputSource,
  OutputRedactor,
  Progress,
  Sandboxes,
  Step,
} from "./contract.ts";
import { TaskTimeoutError } from "./errors.ts";
import { OutputLog } from "./output-log.ts";

/** The engine's options with every default applied. */
export interface Settings {
  readonly taskTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly maxOutputBytes: number;
  readonly maxInputBytes: number;
  readonly maxInputFiles: number;
  readonly maxArtifactBytes: number;
  readonly maxArtifactFiles: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** What all runs share. */
export interface World {
  readonly sandboxes: Sandboxes;
  readonly inputs: InputSource;
  readonly redactor: OutputRedactor;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Settings;
}

/** One attempt: its limits, and what has happened so far. */
export class Run {
  readonly world: World;
  readonly task: EngineTask;
  readonly attempt: number;
  readonly log: OutputLog;
  readonly steps: Step[] = [];
  /** Fires when the caller cancels, and when the task's time is over. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly startedAt: number;
  readonly #onProgress: (progress: Progress) => void;
  readonly #deadline = new AbortController();
  readonly #done = new AbortController();
  #outputBytes = 0;

  constructor(world: World, task: EngineTask, options: ExecuteOptions) {
    this.world = world;
    this.task = task;
    this.attempt = options.attempt;
    this.log = new OutputLog(options.onOutput);
    this.#onProgress = options.onProgress ?? (() => undefined);
    this.timeoutMs = task.spec.requirements?.timeoutMs ?? world.settings.taskTimeoutMs;
    this.startedAt = world.clock.monotonic();
    this.signal = AbortSignal.any([options.signal, this.#deadline.signal]);
    void this.#watch();
  }

  progress(phase: Progress["phase"], message: string, place?: { index: number; count: number }): void {
    this.#onProgress({
      phase,
      message,
      ...(place === undefined ? {} : { step: place.index, steps: place.count }),
    });
  }

  isOutOfTime(): boolean {
    return this.#deadline.signal.aborted;
  }

  timeLeftMs(): number {
    return this.timeoutMs - this.elapsedMs();
  }

  elapsedMs(): number {
    return Math.round(this.world.clock.monotonic() - this.startedAt);
  }

  outputLeft(): number {
    return this.world.settings.maxOutputBytes - this.#outputBytes;
  }

  spendOutput(bytes: number): void {
    this.#outputBytes += bytes;
  }

  /** Stops the clock. */
  end(): void {
    this.#done.abort();
  }

  async #watch(): Promise<void> {
    try {
      await this.world.clock.sleep(this.timeoutMs, { signal: this.#done.signal });
      this.#deadline.abort(new TaskTimeoutError(this.timeoutMs));
    } catch {
      // The run ended first.
    }
  }
}
