import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";

/** Programs that came with the packages are found first, wherever the call comes from. */
const PATH = join(import.meta.dirname, "../../node_modules/.bin") + delimiter + (process.env["PATH"] ?? "");

/** What a finished process left behind. */
export interface Finished {
  /** Exit code; 124 when the time was over, as `timeout` has it. */
  readonly code: number;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

/** Runs a program to its end, with its output kept for whoever wants to show it. */
export function execute(
  argv: readonly [string, ...string[]],
  options: {
    readonly cwd: string;
    readonly timeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<Finished> {
  const { cwd, timeoutMs = 600_000 } = options;
  const env = { ...process.env, PATH, ...options.env };
  const [program, ...args] = argv;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let late = false;
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    const finish = (code: number, last = "") => {
      clearTimeout(timer);
      resolve({ code, output: Buffer.concat(chunks).toString() + last });
    };
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", (error) => finish(127, `${program}: ${error.message}\n`));
    child.once("close", (code) => {
      if (late) finish(124, `${program} was still running after ${timeoutMs / 1000} s\n`);
      else finish(code ?? 1);
    });
  });
}
