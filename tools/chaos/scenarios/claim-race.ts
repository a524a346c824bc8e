import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import { machineLoopback } from "../mesh/places.ts";
import { MUTANTS, parseMutants } from "../tasks/mutants.ts";
import { race } from "../tasks/race.ts";

const SUBMITTERS = 8;
const TASKS = 1_000;

export const about: Scenario["about"] =
  `${SUBMITTERS} processes ask for ${TASKS} tasks each at five agents that all want them: two winners of one claim, and ` +
  `acknowledgements that are lost, are looked for (mutants: ${MUTANTS.join(", ")})`;

export const standard: Scenario["standard"] = 1;

export async function run(seed: number, { nodes, mutant }: ScenarioOptions): Promise<Violations> {
  const mutants = parseMutants(mutant);
  using place = await machineLoopback(nodes);
  const options = { place, seed, agents: nodes, submitters: SUBMITTERS, tasks: TASKS, mutants };
  const { violations, counts, seconds } = await race(options);
  const judged = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  console.log(`seed ${seed}: ${seconds.toFixed(1)} s, ${judged.join(", ")}`);
  return violations;
}
