import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { judge } from "../../check-history/check.ts";
import type { HistoryRecord } from "../../check-history/record.ts";
import { random } from "../../sim/random.ts";
import { inEmergency } from "../mesh/emergency.ts";
import { moment as now } from "../mesh/history.ts";
import type { Place } from "../mesh/places.ts";
import { type Agents, agents } from "./agents.ts";
import { get } from "./client.ts";
import type { Mutant } from "./mutants.ts";
import { readHistory, type RoundVerdict } from "./round.ts";
import { Stage } from "./stage.ts";
import type { SubmitterStart } from "./submitter.ts";
import { Tally } from "./tally.ts";

export interface RaceOptions {
  readonly place: Place;
  readonly seed: number;
  readonly agents: number;
  readonly submitters: number;
  /** Of each of them. */
  readonly tasks: number;
  readonly mutants: readonly Mutant[];
}

export interface RaceVerdict extends RoundVerdict {
  readonly seconds: number;
}

const LANES = 4;
/** Of the time in which the peers could run: for the mesh's start, and for each task. */
const LEAST_MS = 90_000;
const TASK_MS = 250;
const MAIN = fileURLToPath(new URL("submitter.ts", import.meta.url));
const FLAGS = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];
const OPEN = [
  "submitted",
  "blocked",
  "ready",
  "leased",
  "working",
  "paused",
  "verifying",
  "input-required",
  "auth-required",
];

/** All submitters ask at once, all agents want every task, and runs cost nothing: who wins, and is anything lost? */
export async function race(options: RaceOptions): Promise<RaceVerdict> {
  const folder = mkdtempSync(join(tmpdir(), "chaos-race-"));
  let kept = false;
  try {
    const { thrown, seconds } = await play(options, folder);
    const { violations, counts } = judge(readHistory(folder));
    const lost = options.submitters * options.tasks - (counts["tasks"] ?? 0);
    const found = [...thrown, ...violations, ...(lost === 0 ? [] : [`${lost} tasks are not there`])];
    kept = found.length > 0;
    return { counts, seconds, violations: found.map((text) => `${text} (histories: ${folder})`) };
  } finally {
    if (!kept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function play(
  options: RaceOptions,
  folder: string,
): Promise<{ thrown: readonly string[]; seconds: number }> {
  const { place, seed, mutants } = options;
  const write = (record: HistoryRecord): void =>
    appendFileSync(join(folder, "runner.jsonl"), `${JSON.stringify(record)}\n`);
  const mesh = await agents({
    place,
    folder,
    agents: options.agents,
    runs: "none",
    mutants,
    // Claims are wanted, and no lease or admin that is lost because two cores have too much to do.
    env: { CHORUS_LEASE_MS: "30000", CHORUS_ELECTION_PROFILE: "wan", CHORUS_CAPACITY: "8" },
  });
  const clients: ChildProcess[] = [];
  const killAll = (): void => clients.forEach((child) => child.kill("SIGKILL"));
  await using all = new AsyncDisposableStack();
  all.use(inEmergency(() => end(mesh, killAll, folder)));
  all.use(mesh);
  all.defer(killAll);
  const stage = new Stage({ agents: mesh, chance: random(seed), tally: new Tally(), write, seed });
  const thrown: string[] = [];
  await stage.whole();
  const from = now();
  try {
    for (let i = 0; i < options.submitters; i++)
      clients.push(startSubmitter(options, mesh, join(folder, `submitter-${i}`)));
    const codes = await Promise.all(
      clients.map((child) => new Promise((resolve) => child.once("exit", resolve))),
    );
    if (codes.some((code) => code !== 0)) thrown.push(`submitters ended with ${codes.join(", ")}`);
    const patienceMs = LEAST_MS + options.submitters * options.tasks * TASK_MS;
    await stage.until(
      "the end of all tasks",
      () => allEnded(mesh),
      mutants.length === 0 ? patienceMs : LEAST_MS / 9,
    );
  } catch (error) {
    thrown.push(error instanceof Error ? error.message : String(error));
  }
  const seconds = (now() - from) / 1000;
  write({ kind: "end", at: now(), peers: mesh.all.map(({ label }) => label) });
  return { thrown: [...thrown, ...mesh.died], seconds };
}

function startSubmitter({ tasks, seed }: RaceOptions, mesh: Agents, folder: string): ChildProcess {
  mkdirSync(folder);
  const start: SubmitterStart = {
    name: `seed-${seed}-${folder.split("/").at(-1)}`,
    tasks,
    lanes: LANES,
    peers: mesh.all.map(({ label, socket, host, token }) => ({ label, socket, host, token })),
    history: join(folder, "history.jsonl"),
  };
  return spawn(process.execPath, [...FLAGS, MAIN, JSON.stringify(start)], {
    stdio: ["pipe", "inherit", "inherit"],
  });
}

/** Nothing is open anywhere. What is missing altogether shows in the histories. */
async function allEnded(mesh: Agents): Promise<boolean> {
  for (const agent of mesh.all)
    for (const state of OPEN) {
      const page = await get<{ items: object[] }>(agent, `/v1/tasks?limit=1&state=${state}`);
      if (page === undefined || page.items.length > 0) return false;
    }
  return true;
}

function end(mesh: Agents, killAll: () => void, folder: string): void {
  killAll();
  mesh.kill();
  rmSync(folder, { recursive: true, force: true });
}
