import { fork } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** Seeds that one process runs before the next one begins. */
const CHUNK = 500;
const PROCESSES = 2;

/** A scenario's command line, taken apart. */
export interface Spread {
  readonly scenario: string;
  readonly seeds: number;
  readonly seed: number;
  /** What is passed on as it is. */
  readonly rest: readonly string[];
}

/** What is worth more than one process; undefined for everything else, right or wrong. */
export function worthSpreading(argv: readonly string[]): Spread | undefined {
  try {
    const text = { type: "string" } as const;
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { nodes: text, seed: text, mutant: text, seeds: text },
    });
    const [scenario] = positionals;
    const [seeds, seed] = [Number(values.seeds), Number(values.seed ?? 1)];
    const whole = Number.isSafeInteger(seeds) && Number.isSafeInteger(seed) && seed >= 1;
    if (scenario === undefined || positionals.length > 1 || !whole || seeds <= CHUNK) return undefined;
    const { nodes, mutant } = values;
    const rest = [...(nodes ? ["--nodes", nodes] : []), ...(mutant ? ["--mutant", mutant] : [])];
    return { scenario, seeds, seed, rest };
  } catch {
    return undefined;
  }
}

/** Runs the seeds in two processes at a time, chunk by chunk, and says how far it has come. @returns violations */
export async function spread(what: Spread, print: (line: string) => void): Promise<number> {
  const { scenario, seeds, seed, rest } = what;
  const from = performance.now();
  let [next, done, violations] = [seed, 0, 0];
  const work = async (): Promise<void> => {
    while (next < seed + seeds) {
      const start = next;
      const count = Math.min(CHUNK, seed + seeds - start);
      next += count;
      const found = await chunk([scenario, ...rest, "--seeds", `${count}`, "--seed", `${start}`], print);
      violations += found;
      done += count;
      const seconds = ((performance.now() - from) / 1000).toFixed(0);
      if (done % (10 * CHUNK) === 0 || done === seeds)
        print(`${scenario}: ${done} of ${seeds} seeds, violations: ${violations}, ${seconds} s`);
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, work));
  print(`violations: ${violations}`);
  return violations;
}

/** One process; what it found is printed, and its last line counted. */
function chunk(argv: readonly string[], print: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, "main.ts"), [...argv], {
      execArgv: ["--conditions=@chorus/source"],
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("error", reject);
    child.on("close", () => {
      const lines = output.trimEnd().split("\n");
      const count = /^violations: (\d+)$/.exec(lines.at(-1) ?? "")?.[1];
      if (count === undefined) reject(new Error(`${argv.join(" ")} did not end as it should:\n${output}`));
      else {
        if (count !== "0") for (const line of lines.slice(0, -2)) print(line);
        resolve(Number(count));
      }
    });
  });
}
