import { ALL_RULES, type Rules } from "@chorus/election/testing";
import type { Course } from "./course.ts";

/** An election without one of its rules. */
export interface Mutant {
  readonly rule: keyof Rules;
  readonly course: Course;
  readonly nodes: number;
  /** Seeds from 1 on, one of which shows the harm. */
  readonly within: number;
}

/** By the name of the rule that is switched off. */
export const mutants: Readonly<Record<string, Mutant>> = {
  persistedVote: { rule: "persistedVote", course: "fixed", nodes: 3, within: 3000 },
  restartHold: { rule: "restartHold", course: "fixed", nodes: 3, within: 2000 },
  leaseStart: { rule: "leaseStart", course: "fixed", nodes: 3, within: 2500 },
  stickiness: { rule: "stickiness", course: "fixed", nodes: 3, within: 50 },
  installedQuorum: { rule: "installedQuorum", course: "changing", nodes: 5, within: 500 },
  termQuorum: { rule: "termQuorum", course: "changing", nodes: 5, within: 1000 },
  configCheck: { rule: "configCheck", course: "changing", nodes: 5, within: 600 },
  logCheck: { rule: "logCheck", course: "logged", nodes: 5, within: 100 },
  oneAtATime: { rule: "oneAtATime", course: "changing", nodes: 3, within: 300 },
  configRewrite: { rule: "configRewrite", course: "changing", nodes: 5, within: 1000 },
};

export function rulesOf(mutant: string | undefined): Rules {
  if (mutant === undefined) return ALL_RULES;
  const known = mutants[mutant];
  if (known === undefined) throw new RangeError(`unknown mutant; known: ${Object.keys(mutants).join(", ")}`);
  return { ...ALL_RULES, [known.rule]: false };
}
