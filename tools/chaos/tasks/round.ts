import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judge } from "../../check-history/check.ts";
import { checkEvidence } from "../../check-history/checks/tokens.ts";
import { History } from "../../check-history/history.ts";
import { parseHistory } from "../../check-history/parse.ts";
import type { HistoryRecord } from "../../check-history/record.ts";
import { random } from "../../sim/random.ts";
import { inEmergency } from "../mesh/emergency.ts";
import { moment as now } from "../mesh/history.ts";
import type { Place } from "../mesh/places.ts";
import { type Agents, agents } from "./agents.ts";
import type { Mutant } from "./mutants.ts";
import { SCENES } from "./scenes.ts";
import { Stage } from "./stage.ts";
import type { Tally } from "./tally.ts";
import { openWorld } from "./world/world.ts";

/** One mesh, and what happens to it. */
export interface RoundOptions {
  readonly place: Place;
  readonly seed: number;
  readonly agents: number;
  /** Names of scenes, in order. */
  readonly scenes: readonly string[];
  readonly mutants: readonly Mutant[];
  /** Hears how often each moment was hit. */
  readonly tally: Tally;
}

export interface RoundVerdict {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Short enough that a lost worker is missed soon, long enough for renewals on a busy machine. */
const LEASE_MS = "3000";
/** A planted defect keeps tasks from ending; that shows without much waiting. */
const MUTANT_END_MS = 10_000;
const EVIDENCE_MS = 15_000;

/**
 * Starts a mesh of agents, plays the scenes, and has the histories judged. Nothing is left of it but, after a
 * violation, the folder that the violations name.
 */
export async function round(options: RoundOptions): Promise<RoundVerdict> {
  const folder = mkdtempSync(join(tmpdir(), "chaos-tasks-"));
  let kept = false;
  try {
    const thrown = await play(options, folder);
    const { violations, counts } = judge(readHistory(folder));
    const found = [...thrown, ...violations];
    kept = found.length > 0;
    return { counts, violations: found.map((text) => `${text} (histories: ${folder})`) };
  } finally {
    if (!kept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** @returns what went wrong in doing it; the histories may tell why */
async function play(options: RoundOptions, folder: string): Promise<readonly string[]> {
  const { place, seed, mutants, tally } = options;
  const write = (record: HistoryRecord): void =>
    appendFileSync(join(folder, "runner.jsonl"), `${JSON.stringify(record)}\n`);
  await using all = new AsyncDisposableStack();
  const world = all.use(await openWorld(folder, place));
  all.use(inEmergency(() => world[Symbol.dispose]()));
  const env = { CHORUS_LEASE_MS: LEASE_MS, CHORUS_CAPACITY: "2", ...world.settings };
  const mesh = await agents({ place, folder, agents: options.agents, runs: "sandbox", mutants, env });
  all.use(inEmergency(() => end(mesh, folder)));
  all.use(mesh);
  const patience = mutants.length === 0 ? {} : { endMs: MUTANT_END_MS };
  const stage = new Stage({ agents: mesh, world, chance: random(seed), tally, write, seed, ...patience });
  const thrown = await perform(stage, options.scenes);
  await settle(stage, folder, thrown.length > 0);
  for (const commit of world.commits()) write(commit);
  write({ kind: "end", at: now(), peers: mesh.all.map(({ label }) => label) });
  return [...thrown, ...mesh.died];
}

async function perform(stage: Stage, scenes: readonly string[]): Promise<readonly string[]> {
  try {
    await stage.whole();
    for (const name of scenes) {
      const scene = SCENES.get(name);
      if (scene === undefined) throw new RangeError(`the scenes are ${[...SCENES.keys()].join(", ")}`);
      const from = now();
      await scene(stage).catch((error: unknown) => {
        throw new Error(`scene ${name}`, { cause: error });
      });
      const action = `scene of ${Math.round(now() - from)} ms`;
      stage.write({ kind: "done", at: now(), peer: "", moment: name, action });
    }
    await stage.whole();
    await stage.ended();
    return [];
  } catch (error) {
    return [describe(error)];
  }
}

/** What was lost is told of after the end; a promise that is broken shows in the judgement, whatever is waited for here. */
async function settle(stage: Stage, folder: string, failed: boolean): Promise<void> {
  if (failed) return;
  const isKept = async (): Promise<boolean> => checkEvidence(new History(readHistory(folder))).length === 0;
  await stage.until("the losers' work as evidence", isKept, EVIDENCE_MS).catch(() => undefined);
  await stage.quiet().catch(() => undefined);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}

function end(mesh: Agents, folder: string): void {
  mesh.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** All that was written down in a folder. */
export function readHistory(folder: string): readonly HistoryRecord[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter(
      (name) => name === "runner.jsonl" || name.endsWith("/history.jsonl") || name.endsWith("world.jsonl"),
    )
    .flatMap((name) => parseHistory(readFileSync(join(folder, name), "utf8"), name));
}
