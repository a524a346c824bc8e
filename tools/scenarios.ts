import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/** A scenario's findings: sentences that each name a broken promise. None when all promises held. */
export type Violations = readonly string[];

export interface ScenarioOptions {
  /** Peers that take part. */
  readonly nodes: number;
  /** Name of a planted defect, for proving that the scenario would find it. */
  readonly mutant?: string;
}

/** What a file under `scenarios/` exports; its name is the scenario's. */
export interface Scenario {
  /** One line for the list of scenarios. */
  readonly about: string;
  /** One run. All chance comes from `seed`, so that a finding can be had again. */
  readonly run: (seed: number, options: ScenarioOptions) => Promise<Violations> | Violations;
  /** How many runs there are where nobody says it. @default the command's own number */
  readonly standard?: number;
  /** What all runs so far have measured, for reading: printed before the last line. */
  readonly report?: () => readonly string[];
}

/**
 * The command line of `sim` and `chaos`: runs a scenario for consecutive seeds, prints each violation with its
 * seed, and `violations: N` as the last line.
 * @returns the exit code: 0 all held, 1 violations, 2 the command line is wrong
 */
export async function runScenario(
  argv: readonly string[],
  options: {
    /** Holds `scenarios/*.ts`. */
    readonly folder: string;
    /** The option that says how many seeds are run, and how many without it. */
    readonly count: { readonly name: "seeds" | "rounds"; readonly standard: number };
    readonly print: (line: string) => void;
  },
): Promise<0 | 1 | 2> {
  const { folder, count, print } = options;
  const files = new Map(
    globSync("scenarios/*.ts", { cwd: folder })
      .sort()
      .map((file) => [basename(file, ".ts"), join(folder, file)]),
  );
  const asked = readArguments(argv, count.name);
  const file = files.get(asked?.scenario ?? "");
  if (asked === undefined || file === undefined) {
    print(`usage: SCENARIO [--nodes N] [--${count.name} N] [--seed S] [--mutant NAME]; scenarios:`);
    for (const [name, path] of files) print(`  ${name}: ${(await load(path)).about}`);
    return 2;
  }
  const scenario = await load(file);
  const from = performance.now();
  const runs = asked.runs ?? scenario.standard ?? count.standard;
  const violations = await runAll(scenario, { ...asked, runs }, print);
  for (const line of scenario.report?.() ?? []) print(line);
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  print(
    `${asked.scenario}: ${count.name} ${runs} from seed ${asked.seed}, nodes ${asked.options.nodes}, ${seconds} s`,
  );
  print(`violations: ${violations}`);
  return violations > 0 ? 1 : 0;
}

interface Asked {
  readonly scenario: string;
  readonly seed: number;
  /** Undefined where nobody says it. */
  readonly runs: number | undefined;
  readonly options: ScenarioOptions;
}

function readArguments(argv: readonly string[], count: "seeds" | "rounds"): Asked | undefined {
  try {
    const text = { type: "string" } as const;
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { nodes: text, seed: text, mutant: text, [count]: text },
    });
    const wanted: Readonly<Record<string, unknown>> = values;
    const { mutant } = values;
    return {
      scenario: positionals.length === 1 ? (positionals[0] ?? "") : "",
      seed: whole(values.seed, 1),
      runs: wanted[count] === undefined ? undefined : whole(wanted[count], 1),
      options: { nodes: whole(values.nodes, 5), ...(typeof mutant === "string" ? { mutant } : {}) },
    };
  } catch {
    return undefined;
  }
}

function whole(text: unknown, standard: number): number {
  const value = text === undefined ? standard : Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError("a whole number from 1 on is needed");
  return value;
}

/** @returns how many violations there were */
async function runAll(
  scenario: Scenario,
  { seed: first, runs, options }: Pick<Asked, "seed" | "options"> & { readonly runs: number },
  print: (line: string) => void,
): Promise<number> {
  let violations = 0;
  for (let seed = first; seed < first + runs; seed++) {
    const found = await findings(scenario, seed, options);
    for (const text of found) print(`seed ${seed}: ${text}`);
    violations += found.length;
  }
  return violations;
}

/** A scenario that throws has not held either. */
async function findings(scenario: Scenario, seed: number, options: ScenarioOptions): Promise<Violations> {
  try {
    return await scenario.run(seed, options);
  } catch (error) {
    return [`the scenario threw: ${error instanceof Error ? error.stack : String(error)}`];
  }
}

async function load(file: string): Promise<Scenario> {
  const scenario: Scenario = await import(pathToFileURL(file).href);
  return scenario;
}
