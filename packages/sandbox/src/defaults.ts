import { InvalidInputError } from "@chorus/kernel";
import type { ExecOptions, SandboxSpec } from "./contract.ts";

/** The three folders of a sandbox. */
export const FOLDERS = {
  input: "/workspace/input",
  data: "/workspace/data",
  output: "/workspace/output",
} as const;

/** Size of /tmp, which is also HOME: caches of compilers and interpreters go there and are thrown away. */
export const TMP_BYTES = 134_217_728;

/** Output kept for a reader that has not come yet, before the command has to wait. */
export const HIGH_WATER_BYTES = 1_048_576;

/** How long a killed command may take to disappear before its whole sandbox is destroyed. */
export const KILL_GRACE_MS = 2_000;

/** A spec with every default filled in. */
export interface ResolvedSpec {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly processes: number;
  readonly inputBytes: number;
  readonly dataBytes: number;
  readonly outputBytes: number;
  readonly files: number;
  readonly env: Readonly<Record<string, string>>;
}

/** @throws InvalidInputError naming the field that no engine could honour */
export function resolveSpec(spec: SandboxSpec): ResolvedSpec {
  return {
    memoryBytes: whole("memoryBytes", spec.memoryBytes, { fallback: 536_870_912, least: 33_554_432 }),
    cpus: positive("cpus", spec.cpus ?? 1),
    processes: whole("processes", spec.processes, { fallback: 256, least: 8 }),
    inputBytes: whole("inputBytes", spec.inputBytes, { fallback: 268_435_456, least: 4096 }),
    dataBytes: whole("dataBytes", spec.dataBytes, { fallback: 268_435_456, least: 4096 }),
    outputBytes: whole("outputBytes", spec.outputBytes, { fallback: 67_108_864, least: 4096 }),
    files: whole("files", spec.files, { fallback: 100_000, least: 16 }),
    env: checkEnv(spec.env ?? {}),
  };
}

/** An exec's options with every default filled in. */
export interface ResolvedExec {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly signal?: AbortSignal;
}

/** The longest delay of a Node timer; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** @throws InvalidInputError */
export function resolveExec(argv: readonly string[], options: ExecOptions): ResolvedExec {
  const cwd = options.cwd ?? FOLDERS.data;
  if (argv.length === 0 || argv[0] === "") throw new InvalidInputError("argv", "names no program");
  if (argv.some((word) => word.includes("\0"))) throw new InvalidInputError("argv", "holds a NUL character");
  if (!cwd.startsWith("/") || cwd.includes("\0"))
    throw new InvalidInputError("cwd", "is not an absolute path");
  return {
    cwd,
    env: checkEnv(options.env ?? {}),
    timeoutMs: Math.min(positive("timeoutMs", options.timeoutMs ?? 600_000), MAX_TIMER_MS),
    maxOutputBytes: whole("maxOutputBytes", options.maxOutputBytes, { fallback: 8_388_608, least: 0 }),
    ...(options.stdin !== undefined && { stdin: options.stdin }),
    ...(options.signal !== undefined && { signal: options.signal }),
  };
}

function whole(
  name: string,
  value: number | undefined,
  { fallback, least }: { readonly fallback: number; readonly least: number },
): number {
  const result = value ?? fallback;
  if (!Number.isSafeInteger(result) || result < least)
    throw new InvalidInputError(name, `is not a whole number of at least ${least}`);
  return result;
}

function positive(name: string, value: number): number {
  if (!Number.isFinite(value) || value <= 0) throw new InvalidInputError(name, "is not a positive number");
  return value;
}

function checkEnv(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(env))
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0"))
      throw new InvalidInputError("env", `cannot hold the variable ${JSON.stringify(name)}`);
  return env;
}
