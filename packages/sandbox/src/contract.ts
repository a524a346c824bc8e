import type { Logger } from "@chorus/kernel";

/** What runs the commands: real containers, or a simulated shell that needs nothing installed. */
export type EngineName = "docker" | "embedded";

/**
 * How strong the wall is. `container`: namespaces, cgroups, no capabilities, a system-call filter, one shared kernel.
 * `simulated`: no native code runs at all; an interpreter in a killable process with reduced rights.
 */
export type IsolationLevel = "simulated" | "container";

/** What a result can be trusted for; it travels with every result of the sandbox. */
export interface Isolation {
  readonly engine: EngineName;
  readonly level: IsolationLevel;
  /** Controls of the full profile that this engine cannot give here, for example `cpu-quota`. Empty is best. */
  readonly missing: readonly string[];
}

/** What the caller needs. Every size is in bytes; every limit is enforced by the engine, not by the caller. */
export interface SandboxSpec {
  /** `python`, `javascript`, `typescript`, `go`, `rust`, `java`, `c` or `shell`; chooses the image. @default "shell" */
  readonly language?: string;
  /** An image by name, in place of the language's own. Ignored by the embedded engine, which has no images. */
  readonly image?: string;
  /** The least level accepted; below it creation fails with `sandbox/no-engine`. @default "simulated" */
  readonly isolation?: IsolationLevel;
  /** Memory of all processes and of the files they write; equal to memory plus swap. @default 536_870_912 */
  readonly memoryBytes?: number;
  /** Share of processors, for example 0.5. Not limited by the embedded engine. @default 1 */
  readonly cpus?: number;
  /** Processes and threads at one time. @default 256 */
  readonly processes?: number;
  /** Size of /workspace/input. @default 268_435_456 */
  readonly inputBytes?: number;
  /** Size of /workspace/data. @default 268_435_456 */
  readonly dataBytes?: number;
  /** Size of /workspace/output. @default 67_108_864 */
  readonly outputBytes?: number;
  /** Files and folders in each of the three. @default 100_000 */
  readonly files?: number;
  /** Environment of every command, besides PATH, HOME, TMPDIR and LANG. The agent's own never enters. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Where the Docker engine listens. The library reads no environment: a DOCKER_HOST is passed in as `host`. */
export interface DockerEndpoint {
  /** @default "/var/run/docker.sock" */
  readonly socketPath?: string;
  /** `unix:///path` or `tcp://host:port` (plain; put TLS in front yourself). Wins over `socketPath`. */
  readonly host?: string;
}

/** Which images may be used, and for what. */
export interface ImagePolicy {
  /** Image by language, before the built-in official ones. */
  readonly images?: Readonly<Record<string, string>>;
  /** When given, any other image is refused. A trailing `*` matches the rest of a name. */
  readonly allow?: readonly string[];
}

/** How a sandbox is made. */
export interface SandboxOptions extends ImagePolicy {
  /** Forces an engine. @default docker where it answers, else embedded; the choice is in `isolation` */
  readonly engine?: EngineName;
  readonly docker?: DockerEndpoint;
  /** `never`: an image that is not on this machine is an error. @default "missing" */
  readonly pull?: "missing" | "never";
  /** @default silent */
  readonly logger?: Logger;
  /** Cancels creation only; a made sandbox lives until it is disposed. */
  readonly signal?: AbortSignal;
}

/** One engine as it is on this machine. */
export interface EngineReport {
  readonly engine: EngineName;
  readonly available: boolean;
  readonly level: IsolationLevel;
  readonly missing: readonly string[];
  /** The engine's own version, when it answers. */
  readonly version?: string;
  /** Why it is not available, for people. */
  readonly reason?: string;
}

/** One piece of output, in the order in which the engine delivered it. Bytes as they came: not text, not neutralised. */
export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/**
 * How a command ended; exactly one per command. `exited` is only ever said of an observed exit.
 *
 * - `exited`: it ended by itself; `exitCode` is its own.
 * - `signaled`: a signal that was not ours ended it (exit code 128 + n, as shells report it).
 * - `timeout`, `output-limit`, `cancelled`: we killed it and everything it had started.
 * - `oom`: it failed and the memory limit had struck while it ran.
 * - `not-started`: there is no such program, or the folder or the request is wrong.
 * - `unsupported-by-engine`: it failed after asking for a program which this engine does not have.
 * - `sandbox-lost`: the container or process that held it is gone; nothing is known about its end.
 */
export type Outcome =
  | "exited"
  | "signaled"
  | "timeout"
  | "output-limit"
  | "oom"
  | "cancelled"
  | "not-started"
  | "unsupported-by-engine"
  | "sandbox-lost";

/** The verdict on one command. */
export interface ExecResult {
  readonly outcome: Outcome;
  /** Only with `exited`, `signaled`, `oom` and `unsupported-by-engine`. */
  readonly exitCode?: number;
  /** The signal's number, with `signaled`. */
  readonly signal?: number;
  /** Bytes delivered by the execution; what was cut off is not counted. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly durationMs: number;
  /** Why, for people, with every outcome but `exited` and `signaled`. */
  readonly message?: string;
}

/** How one command runs. */
export interface ExecOptions {
  /** An absolute path. @default "/workspace/data" */
  readonly cwd?: string;
  /** Added to the sandbox's environment, for this command. */
  readonly env?: Readonly<Record<string, string>>;
  /** The whole standard input; without it the command reads an empty one. */
  readonly stdin?: Uint8Array;
  /** @default 600_000 */
  readonly timeoutMs?: number;
  /** Both streams together. @default 8_388_608 */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * A running command. Iterate at most once; a slow reader slows the command down. Leaving the loop early discards the
 * rest of the output and lets the command go on. Without a reader, a megabyte is kept and then the command waits.
 */
export interface Execution extends AsyncIterable<OutputChunk> {
  /** Never rejects. Settles when the command, and what we had to kill with it, is gone. */
  readonly result: Promise<ExecResult>;
}

/** Bounds of a collection; beyond any of them it fails with `sandbox/collect-failed`, it never shortens silently. */
export interface CollectLimits {
  /** Content of all files together. @default 67_108_864 */
  readonly maxBytes?: number;
  /** Entries of any type. @default 10_000 */
  readonly maxFiles?: number;
  /** Folders above a file. @default 32 */
  readonly maxDepth?: number;
  readonly signal?: AbortSignal;
}

/** A regular file that came out of a sandbox. */
export interface Artifact {
  /** Relative, with `/`, without `.`, `..`, backslashes, control or bidirectional characters; unique without case. */
  readonly path: string;
  /** 0o755 if its owner may execute it, else 0o644. */
  readonly mode: number;
  readonly size: number;
  /** Lower-case hexadecimal digest of `bytes`. */
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

/** An entry that was left where it is. */
export interface SkippedEntry {
  /** The name, with anything unprintable escaped: safe to show. */
  readonly path: string;
  readonly reason: "link" | "special-file" | "unsafe-name" | "name-collision";
}

/** The files of a folder, one by one. */
export interface Collection extends AsyncIterable<Artifact> {
  /** Grows during the iteration and is complete after it. */
  readonly skipped: readonly SkippedEntry[];
}

/** What a sandbox uses now. */
export interface SandboxStats {
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  /** Processor time so far, in milliseconds. */
  readonly cpuMs: number;
  /** Undefined where the engine cannot say. */
  readonly processes?: number;
}

/**
 * One isolated place for one task: /workspace/input (read-only for commands), /workspace/data and /workspace/output.
 * Calls run one after another in the order in which they were made. The maker owns it and must dispose of it.
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly isolation: Isolation;
  /** The image as the engine identified it, `name@sha256:…`; undefined in the embedded engine. */
  readonly image?: string;
  /**
   * Unpacks a plain tar archive. Owners and special bits in it are ignored.
   * @throws `sandbox/bad-archive` on names or links that lead outside, special files, or more than fits
   */
  put(
    target: "input" | "data",
    tar: AsyncIterable<Uint8Array> | Uint8Array,
    options?: { readonly signal?: AbortSignal },
  ): Promise<void>;
  /** Starts a program with its arguments; no shell is involved unless `argv` names one. Never throws. */
  exec(argv: readonly string[], options?: ExecOptions): Execution;
  /**
   * Ends everything that commands left running, then reads the folder. Iterate at most once.
   * @throws `sandbox/collect-failed` while iterating, when a limit is passed or the listing is not whole
   */
  collect(from: "output" | "data", limits?: CollectLimits): Collection;
  stats(): Promise<SandboxStats>;
}

/** A language that the files of a project speak for. */
export interface LanguageGuess {
  readonly language: string;
  /** Higher is surer: a manifest weighs more than any number of files. */
  readonly score: number;
  /** For people: `pyproject.toml`, `12 files *.py`. */
  readonly reasons: readonly string[];
}

/** The image chosen for a task. */
export interface ImageChoice {
  readonly image: string;
  readonly language?: string;
  readonly reason: string;
}
