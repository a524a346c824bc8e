import { configuration, describeConfig } from "./config.ts";
import { ConfigError } from "./errors.ts";
import { node } from "./node.ts";

/** What a binary is given by its `main.ts`, the only place that touches the process. */
export interface RunOptions {
  /** The binary's name, for `--help`. */
  readonly binary: string;
  /** One sentence about it. */
  readonly summary: string;
  readonly role: "agent" | "resolver";
  /** Arguments after the binary's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the peer in order. */
  readonly signal: AbortSignal;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** sysexits.h: the configuration is not valid. */
const EX_CONFIG = 78;
const EX_USAGE = 2;

/**
 * Runs a peer until its signal fires, or answers `--help`, `--print-config`, `--check-config`.
 * @returns the exit code: 0, 1 when the peer could not start, 2 for a wrong argument, 78 for a wrong configuration
 */
export async function runPeer(options: RunOptions): Promise<number> {
  const { args, env, stdout, stderr } = options;
  const [command, ...rest] = args;
  if (command === "--help") return answer(stdout, help(options));
  if (command !== undefined && !["--print-config", "--check-config"].includes(command))
    return fail(stderr, `${options.binary}: unknown argument ${command}; try --help`, EX_USAGE);
  if (rest.length > 0) return fail(stderr, `${options.binary}: unknown argument ${rest.join(" ")}`, EX_USAGE);
  try {
    const config = configuration(env);
    if (command === "--print-config") return answer(stdout, printConfig(env));
    if (command === "--check-config") return answer(stdout, "the configuration is valid\n");
    await using _peer = await node(config, { role: options.role, sink: { write: stdout } });
    await fired(options.signal);
    return 0;
  } catch (error) {
    return fail(
      stderr,
      `${options.binary}: ${describe(error)}`,
      error instanceof ConfigError ? EX_CONFIG : 1,
    );
  }
}

function answer(write: (text: string) => void, text: string): number {
  write(text);
  return 0;
}

function fail(write: (text: string) => void, text: string, code: number): number {
  write(`${text}\n`);
  return code;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function help({ binary, summary }: RunOptions): string {
  const lines = describeConfig({}).map(
    ({ name, help: text, value }) => `  ${name.padEnd(28)}${text}${value === "" ? "" : ` [${value}]`}`,
  );
  const usage = `${binary} [--help | --print-config | --check-config]`;
  return `${summary}\n\nUsage: ${usage}\n\nConfigured by environment variables only:\n${lines.join("\n")}\n`;
}

function printConfig(env: RunOptions["env"]): string {
  return describeConfig(env)
    .map(({ name, value, source }) => `${name}=${value}  # ${source}\n`)
    .join("");
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
