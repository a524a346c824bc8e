import type { Clean, Clock, Logger } from "@chorus/kernel";

/** One command line, run by `sh -c` in the working tree. */
export interface Command {
  readonly run: string;
  /** Goes on after a failure, which is still reported. @default false */
  readonly allowFailure?: boolean;
  /** Milliseconds. @default the engine's `commandTimeoutMs` */
  readonly timeoutMs?: number;
}

/** Something the task works on: a tar archive (plain or gzip), or for other media types one file. */
export interface TaskInput {
  /** Found under `/workspace/input/<name>`; `source` is the working tree too, in `/workspace/data`. */
  readonly name: string;
  readonly address: string;
  readonly mediaType: string;
}

/** The part of a task that the engine reads. */
export interface EngineTask {
  readonly id: string;
  readonly spec: {
    readonly goal: string;
    readonly commands?: readonly Command[] | undefined;
    /** Run after the commands, or the recipe's: the run has succeeded only if these do. */
    readonly acceptance?: readonly Command[] | undefined;
    readonly inputs?: readonly TaskInput[] | undefined;
    readonly requirements?: Requirements | undefined;
  };
}

/** What a task asks of its sandbox. */
export interface Requirements {
  readonly language?: string | undefined;
  readonly image?: string | undefined;
  readonly isolation?: "simulated" | "container" | undefined;
  readonly memoryBytes?: number | undefined;
  readonly cpus?: number | undefined;
  /** For the whole task. @default the engine's `taskTimeoutMs` */
  readonly timeoutMs?: number | undefined;
}

export type StepOutcome =
  | "exited"
  | "signaled"
  | "timeout"
  | "output-limit"
  | "oom"
  | "cancelled"
  | "not-started"
  | "unsupported-by-engine"
  | "sandbox-lost"
  | "collect-failed";

/** One command as it went. Success is `exited` with exit code 0 and nothing else. */
export interface Step {
  readonly run: string;
  readonly outcome: StepOutcome;
  readonly exitCode?: number;
  readonly durationMs: number;
  /** Bytes that the command wrote, before redaction. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** The command's own last word where it is a known test runner, for example `12 passed, 1 failed`. */
  readonly summary?: string;
}

/** A piece of redacted output, in the order in which it was written; all of them together are `output.log`. */
export interface OutputChunk {
  /** Which command, from 0. */
  readonly step: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Clean<Uint8Array>;
}

/** Where a run stands; `step` and `steps` are present for commands. */
export interface Progress {
  readonly phase: "inputs" | "command-started" | "command-finished" | "verifying" | "collecting";
  /** One line for people. */
  readonly message: string;
  readonly step?: number;
  readonly steps?: number;
}

export interface Artifact {
  /** Relative, `/`-separated: `report.json`, `output.log`, `changes.patch`, `output/…`, `data/…`. */
  readonly path: string;
  readonly mode: number;
  readonly mediaType: string;
  /** As collected: files are not rewritten, so whoever lets them out decides by a scan. */
  readonly bytes: Uint8Array;
}

export interface RunResult {
  readonly outcome: "succeeded" | "failed";
  /** Why it failed, and what to do; absent on success. */
  readonly reason?: string;
  /** True when another attempt may do better: the sandbox was lost or never came up. */
  readonly retryable: boolean;
  readonly steps: readonly Step[];
  readonly artifacts: readonly Artifact[];
  /** Secrets that were hidden in the output. */
  readonly redactions: number;
  readonly isolation: Isolation;
  readonly image?: string;
  readonly language?: string;
  /** The recipe that chose the commands, absent for explicit ones. */
  readonly recipe?: string;
}

export interface Isolation {
  readonly engine: string;
  readonly level: string;
  /** Protections that this sandbox does not have. */
  readonly missing: readonly string[];
}

export interface ExecuteOptions {
  /** From 1. */
  readonly attempt: number;
  /** Called in order; the command waits while it returns a promise. */
  readonly onOutput?: (chunk: OutputChunk) => void | Promise<void>;
  readonly onProgress?: (progress: Progress) => void;
  /** Asked before each command. @default nobody pauses it or says anything */
  readonly control?: Control;
  readonly signal: AbortSignal;
}

/** A running task's ear for people. */
export interface Control {
  /** What people said so far, oldest first: the next command finds it as lines of `CHORUS_STEERING`. */
  steering(): readonly string[];
  /** Resolves at once unless the task is paused, else when it goes on. The task's time stands still meanwhile. */
  whenRunning(options: { readonly signal: AbortSignal }): Promise<void>;
}

/** Runs tasks. Holds no state between runs; several may run at once. */
export interface Engine {
  /**
   * Runs one attempt from inputs to artifacts. A task that cannot be done is a `failed` result with a reason,
   * also when a port refuses with a ChorusError. Rejects with `signal.reason` when cancelled, and with what a
   * port threw when that is a defect.
   */
  execute(task: EngineTask, options: ExecuteOptions): Promise<RunResult>;
}

/** Port: reads the bytes behind an input's address. */
export interface InputSource {
  read(address: string, options: { readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
}

/** Port: makes secrets in command output unreadable while it streams. */
export interface OutputRedactor {
  stream(): {
    push(chunk: Uint8Array): Clean<Uint8Array>;
    end(): Clean<Uint8Array>;
    /** What was hidden so far; only counted. */
    readonly findings: readonly unknown[];
  };
}

/** What the engine asks a sandbox to be. */
export interface SandboxRequest {
  /** Files of the source by name, for choosing an image. */
  readonly files: readonly string[];
  readonly language?: string;
  readonly image?: string;
  readonly isolation?: "simulated" | "container";
  readonly memoryBytes?: number;
  readonly cpus?: number;
}

/** Port: makes sandboxes. A refusal is thrown and becomes a failed result. */
export interface Sandboxes {
  create(request: SandboxRequest, options: { readonly signal: AbortSignal }): Promise<SandboxPort>;
}

/** A file found in the sandbox after the commands. */
export interface CollectedFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

export interface ExecOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
}

/** A running command: its output, and how it ended. */
export type Execution = AsyncIterable<{
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}> & {
  readonly result: Promise<{
    readonly outcome: StepOutcome;
    readonly exitCode?: number | undefined;
    /** Why, for people, where the outcome does not say it all. */
    readonly message?: string | undefined;
  }>;
};

/** Port: one sandbox, with `/workspace/input` (read only), `/workspace/data` and `/workspace/output`. */
export interface SandboxPort extends AsyncDisposable {
  readonly isolation: Isolation;
  readonly image?: string | undefined;
  /** Unpacks a plain tar archive under `/workspace/<target>`. */
  put(
    target: "input" | "data",
    tar: AsyncIterable<Uint8Array>,
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
  exec(argv: string[], options: ExecOptions): Execution;
  collect(
    from: "output" | "data",
    limits: { readonly maxBytes: number; readonly maxFiles: number; readonly maxDepth: number },
  ): AsyncIterable<CollectedFile>;
}

export interface EngineComponents {
  readonly sandboxes: Sandboxes;
  readonly inputs: InputSource;
  readonly redactor: OutputRedactor;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** All sizes in bytes, all durations in milliseconds. */
export interface EngineOptions {
  /** For a whole task that names no limit. @default 1 800 000 (30 min) */
  readonly taskTimeoutMs?: number;
  /** For a command that names no limit. @default 600 000 (10 min) */
  readonly commandTimeoutMs?: number;
  /** Output of all commands together. @default 8 MiB */
  readonly maxOutputBytes?: number;
  /** All inputs together, unpacked. @default 256 MiB */
  readonly maxInputBytes?: number;
  /** Files in all inputs together. @default 20 000 */
  readonly maxInputFiles?: number;
  /** All collected files together. @default 64 MiB */
  readonly maxArtifactBytes?: number;
  /** Collected files. @default 1 000 */
  readonly maxArtifactFiles?: number;
  /** Written into the report, for example `{ "@chorus/engine": "0.1.0" }`. @default {} */
  readonly versions?: Readonly<Record<string, string>>;
}
