import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import { inEmergency } from "../mesh/emergency.ts";
import { loopbackNamespace, namespacesMissing } from "../mesh/namespaces.ts";
import { machineLoopback, type Place } from "../mesh/places.ts";
import { MUTANTS, parseMutants } from "../tasks/mutants.ts";
import { round } from "../tasks/round.ts";
import { scenesOf } from "../tasks/scenes.ts";
import { Tally } from "../tasks/tally.ts";

export const about: Scenario["about"] =
  "a round is one mesh of whole agents and three scenes: a peer is killed at one moment of a message's life, stopped " +
  "past its lease, cut off with the smaller side, or watched until it dies; consecutive rounds go through all moments, " +
  `and their histories are judged by check-history (mutants: ${MUTANTS.join(", ")})`;

export const standard: Scenario["standard"] = process.env["SLOW"] === "1" ? 200 : 50;

const tally = new Tally();
const totals = new Map<string, number>();

export async function run(seed: number, { nodes, mutant }: ScenarioOptions): Promise<Violations> {
  const mutants = parseMutants(mutant);
  if (nodes < 4 || nodes > 7) throw new RangeError("a mesh that loses two peers and goes on has 4 to 7");
  using all = new DisposableStack();
  const place = all.use(await placeFor(nodes));
  all.use(inEmergency(() => place[Symbol.dispose]()));
  const scenes = scenesOf(seed);
  const { violations, counts } = await round({ place, seed, agents: nodes, scenes, mutants, tally });
  for (const [name, count] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + count);
  const judged = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  console.log(`seed ${seed} ${scenes.join(", ")}: ${judged.join(", ")}`);
  return violations;
}

/** How often each moment was really hit, and how much there was to judge. */
export function report(): readonly string[] {
  const judged = [...totals].map(([name, count]) => `${name} ${count}`).join(", ");
  return [...tally.lines(), `judged in all: ${judged}`];
}

async function placeFor(nodes: number): Promise<Place> {
  const missing = namespacesMissing();
  if (missing === undefined) return loopbackNamespace(nodes);
  console.log(`no network namespaces (${missing}): partitions are left out`);
  return machineLoopback(nodes);
}
