import { formatRun } from "@chorus/sim";
import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import { type Course, courses } from "../election/course.ts";
import { mutants } from "../election/mutants.ts";
import { simulator } from "../election/system.ts";

export const about: Scenario["about"] = `peers elect an admin, change their voters, hand over, found and fold meshes, while networks, disks, clocks and processes fail; a violation is shrunk (mutants: ${Object.keys(mutants).join(", ")})`;

/** A seed belongs to one course; a mutant lives in the course that its rule is made for. */
export function run(seed: number, { nodes, mutant }: ScenarioOptions): Violations {
  const course: Course = mutants[mutant ?? ""]?.course ?? courses[seed % courses.length] ?? "fixed";
  const election = simulator({ course, nodes, ...(mutant === undefined ? {} : { mutant }) });
  const found = election.run(seed);
  return found.violation === undefined ? [] : [`course ${course}\n${formatRun(election.shrink(found))}`];
}
