import { formatRun } from "@chorus/sim";
import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import { type Course, courses } from "../stack/course.ts";
import { mutants } from "../stack/mutants.ts";
import { simulator } from "../stack/system.ts";

export const about: Scenario["about"] = `whole peers, election, ledger and tasks, while people ask for tasks and networks, disks, clocks and processes fail; a violation is shrunk (mutants: ${Object.keys(mutants).join(", ")})`;

/** A seed belongs to one course; a mutant lives in the course that its rule is made for. */
export function run(seed: number, { nodes, mutant }: ScenarioOptions): Violations {
  const course: Course = mutants[mutant ?? ""]?.course ?? courses[seed % courses.length] ?? "fixed";
  const stack = simulator({ course, nodes, ...(mutant === undefined ? {} : { mutant }) });
  const found = stack.run(seed);
  return found.violation === undefined ? [] : [`course ${course}\n${formatRun(stack.shrink(found))}`];
}
