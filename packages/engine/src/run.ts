import type { Clock, Logger } from "@chorus/kernel";
import type {
  Control,
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
  readonly #control: Control | undefined;
  readonly #deadline = new AbortController();
  readonly #done = new AbortController();
  #outputBytes = 0;
  #pausedMs = 0;
  #pausedSince: number | undefined;
  #going: Promise<void> = Promise.resolve();

  constructor(world: World, task: EngineTask, options: ExecuteOptions) {
    this.world = world;
    this.task = task;
    this.attempt = options.attempt;
    this.log = new OutputLog(options.onOutput);
    this.#control = options.control;
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

  /** The boundary at which a paused task stands still. */
  async boundary(): Promise<void> {
    if (this.#control === undefined) return;
    this.#pausedSince = this.world.clock.monotonic();
    this.#going = this.#control.whenRunning({ signal: this.signal });
    try {
      await this.#going;
    } finally {
      this.#pausedMs += this.world.clock.monotonic() - this.#pausedSince;
      this.#pausedSince = undefined;
    }
  }

  /** What people said, one line each. */
  steering(): string {
    return (this.#control?.steering() ?? []).map((text) => text.replaceAll(/\s+/g, " ")).join("\n");
  }

  isOutOfTime(): boolean {
    return this.#deadline.signal.aborted;
  }

  timeLeftMs(): number {
    return this.timeoutMs - this.elapsedMs();
  }

  elapsedMs(): number {
    const now = this.#pausedSince ?? this.world.clock.monotonic();
    return Math.round(now - this.startedAt - this.#pausedMs);
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
      for (let left = this.timeoutMs; left > 0; left = this.timeLeftMs()) {
        await this.world.clock.sleep(left, { signal: this.#done.signal });
        await this.#going;
      }
      this.#deadline.abort(new TaskTimeoutError(this.timeoutMs));
    } catch {
      // The run ended first.
    }
  }
}
