import { sqliteLogStore } from "@chorus/ledger";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import { random } from "../../sim/random.ts";

export const about: Scenario["about"] =
  "a process that writes the ledger's log is killed with SIGKILL and started again; what it acknowledged has to be there (mutant: early-ack)";

const LIVES = 3;
/** Longest life, for a writer that hangs. */
const LIFE_MS = 60_000;
const READ = 512;

/** One log over several lives of its writer; the seed says when each of them ends. */
export async function run(seed: number, { mutant }: ScenarioOptions): Promise<Violations> {
  if (mutant !== undefined && mutant !== "early-ack") throw new RangeError("the one mutant is early-ack");
  const chance = random(seed);
  const folder = mkdtempSync(join(tmpdir(), "chaos-ledger-"));
  try {
    const file = join(folder, "log.sqlite");
    const acknowledged = new Map<string, number>();
    const violations: string[] = [];
    for (let term = 1; term <= LIVES; term++) {
      await live([file, String(term), mutant ?? ""], 1 + chance.below(600), acknowledged);
      violations.push(...(await lost(file, acknowledged)).map((text) => `after kill ${term}: ${text}`));
    }
    return violations;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts a writer and kills it once it has acknowledged as much; what it printed before its death counts too. */
async function live(
  args: readonly string[],
  after: number,
  acknowledged: Map<string, number>,
): Promise<void> {
  const writer = fileURLToPath(new URL("../ledger/writer.ts", import.meta.url));
  const flags = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, writer, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: LIFE_MS,
    killSignal: "SIGKILL",
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [index = "", name = ""] = line.split(" ");
    acknowledged.set(name, Number(index));
    if (++seen === after) child.kill("SIGKILL");
  }
  await ended;
  if (seen < after) throw new Error(`the writer ended after ${seen} of ${after} acknowledgements`);
}

/** Opens the log as the next process would, and looks for every acknowledged name in its place. */
async function lost(file: string, acknowledged: ReadonlyMap<string, number>): Promise<Violations> {
  using store = sqliteLogStore(file);
  const names = new Map<string, number>();
  const violations: string[] = [];
  const committed = await store.committed();
  for (let from = 1; from <= committed; from += READ)
    for (const { index, command } of await store.read(from, Math.min(READ, committed - from + 1))) {
      if (index !== names.size + 1) violations.push(`entry ${names.size + 1} is missing`);
      names.set(new TextDecoder().decode(command).split(" ")[0] ?? "", index);
    }
  for (const [name, index] of acknowledged) {
    const found = names.get(name);
    if (found === undefined) violations.push(`${name} was acknowledged and is lost`);
    else if (index > 0 && found !== index) violations.push(`${name} moved from ${index} to ${found}`);
  }
  return violations;
}
