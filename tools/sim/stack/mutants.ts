import { ALL_RULES, type Rules as ElectionRules } from "@chorus/election/testing";
import { taskMachine } from "@chorus/coordinator";
import { type Machine, mutants as machines } from "../tasks/machine.ts";
import { CLUSTER } from "./commands.ts";
import type { Course } from "./course.ts";
import type { Kind } from "./target-book.ts";
import { killedInFlush, lostLeaders, type Pattern, zombies } from "./patterns.ts";
import { RULES, type Rules } from "./ledger-core.ts";

/** A stack without one of its rules. */
export interface Mutant {
  /** Where the rule is: the election's, the ledger's, the machine's or the drivers'. */
  readonly election?: keyof ElectionRules;
  readonly ledger?: keyof Rules;
  readonly machine?: string;
  readonly course: Course;
  /** The only faults, where those of chance would take too long to bring it about. */
  readonly patterns?: readonly Pattern[];
  /** The only kinds of effects, where one of all would be too seldom. */
  readonly kinds?: readonly Kind[];
  readonly nodes: number;
  /** Seeds from 1 on, one of which shows the harm. */
  readonly within: number;
}

/** By the name of what is missing. */
export const mutants: Readonly<Record<string, Mutant>> = {
  logCheck: { election: "logCheck", course: "fixed", nodes: 3, within: 100 },
  flushFirst: { ledger: "flushFirst", course: "fixed", nodes: 3, within: 200 },
  flushAtOpen: { course: "fixed", patterns: [killedInFlush], nodes: 3, within: 100 },
  commitMatchedOnly: {
    ledger: "commitMatchedOnly",
    course: "fixed",
    patterns: [lostLeaders],
    nodes: 3,
    within: 200,
  },
  ackBeforeQuorum: { course: "fixed", nodes: 3, within: 100 },
  outboxInMemory: { course: "fixed", nodes: 3, within: 200 },
  noPermitCheck: { course: "fixed", nodes: 3, within: 500 },
  resolveSkipped: { course: "fixed", kinds: ["mail"], patterns: [zombies], nodes: 3, within: 200 },
  keyFromDigest: { course: "fixed", nodes: 3, within: 50 },
  noFencing: { machine: "ignore-token", course: "fixed", nodes: 3, within: 50 },
  restartTokens: { machine: "restart-tokens", course: "fixed", nodes: 3, within: 50 },
  loseTask: { machine: "lose-task", course: "fixed", nodes: 3, within: 50 },
  commitTwice: { machine: "commit-twice", course: "fixed", nodes: 3, within: 50 },
};

const WHOLE: Pick<Mutant, "election" | "ledger" | "machine"> = {};

/** What a stack without the mutant's rule goes by. */
export interface Rulebook {
  readonly election: ElectionRules;
  readonly ledger: Rules;
  readonly machine: () => Machine;
}

export function rulebookOf(name: string | undefined): Rulebook {
  const mutant = name === undefined ? WHOLE : mutants[name];
  if (mutant === undefined) throw new RangeError(`unknown mutant; known: ${Object.keys(mutants).join(", ")}`);
  const { election, ledger, machine } = mutant;
  const plant = machines[machine ?? ""] ?? ((whole: Machine) => whole);
  return {
    election: election === undefined ? ALL_RULES : { ...ALL_RULES, [election]: false },
    ledger: ledger === undefined ? RULES : { ...RULES, [ledger]: false },
    machine: () => plant(taskMachine({ cluster: CLUSTER })),
  };
}
