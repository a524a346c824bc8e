import type { Fault } from "@chorus/sim";
import { changes, type Course } from "./course.ts";

type Pattern = (random: () => number, nodes: number) => readonly Fault[];

/** What would be tried by somebody who knows the rules and wants to see two admins. */
export function patterns(course: Course): readonly Pattern[] {
  const always = [restartsInASplit, missedElection, unheardWinner];
  return changes(course)
    ? [...always, changesInASplit, changeAtTheEdge, changesInAStorm, changesOfAPausedAdmin, staleVoters]
    : always;
}

/** Voters restart, and may have forgotten their promise, while one peer that does not hear the leader asks them. */
const restartsInASplit: Pattern = (random, nodes) => {
  const cutOff = below(random, nodes);
  const forMs = 3000 + random() * 3000;
  return [
    { kind: "cut", at: 0, forMs, from: "leader", to: cutOff },
    { kind: "cut", at: 0, forMs, from: cutOff, to: "leader" },
    ...restarts(random, { at: 2500 + random() * 2000, nodes: others(nodes, cutOff) }),
  ];
};

/** One peer misses an election; then voters that restart meet it without the new leader, in the term it missed. */
const missedElection: Pattern = (random, nodes) => {
  const cutOff = below(random, nodes);
  const at = 2600 + random() * 2500;
  return [
    { kind: "partition", at: 0, forMs: at, side: [cutOff] },
    crash(random, { at: 0, forMs: 50 + random() * 2000, node: "leader" }),
    { kind: "partition", at: at - 10, forMs: 4000 + random() * 8000, side: ["leader"] },
    ...restarts(random, { at, nodes: others(nodes, cutOff) }),
  ];
};

/** Whoever stands next loses its ways out one after the other, with luck just as it wins. */
const unheardWinner: Pattern = (random, nodes) => [
  crash(random, { at: 0, forMs: 3000 + random() * 3000, node: "leader" }),
  ...Array.from({ length: nodes * 2 }, (): Fault => {
    const at = 2500 + random() * 1200;
    return { kind: "cut", at, forMs: 1000 + random() * 2000, from: "leader", to: below(random, nodes) };
  }),
];

/** The leader changes the voters again and again while it reaches some of them only. */
const changesInASplit: Pattern = (random, nodes) => {
  const changes = 1 + below(random, 4);
  const sides = nodesOf(nodes).filter(() => random() < 0.5);
  const at = 500 * random();
  return [
    { kind: "partition", at, forMs: 3000 + random() * 6000, side: ["leader", ...sides] },
    ...Array.from({ length: changes }, () => change(random, random() * 2500)),
    ...(random() < 0.5
      ? [{ kind: "partition", at: at + 3000 + random() * 3000, forMs: 4000, side: ["leader"] } as const]
      : []),
  ];
};

/** A change is approved, and the leader is cut off before it can say so; whoever follows changes the voters too. */
const changeAtTheEdge: Pattern = (random, nodes) => {
  const sides = nodesOf(nodes).filter(() => random() < 0.3);
  return [
    change(random, 0),
    { kind: "partition", at: 20 + random() * 120, forMs: 6000 + random() * 4000, side: ["leader", ...sides] },
    ...Array.from({ length: 3 }, () => change(random, 3500 + random() * 4000)),
  ];
};

/** Changes follow each other as fast as they can while many messages are lost; then the mesh breaks in two. */
const changesInAStorm: Pattern = (random, nodes) => {
  const sides = nodesOf(nodes).filter(() => random() < 0.5);
  const at = 800 + random() * 1500;
  return [
    { kind: "drop", at: 0, forMs: at, chance: 0.2 + 0.4 * random() },
    ...Array.from({ length: 16 }, (_, i) => change(random, 50 + (i * at) / 16)),
    { kind: "partition", at, forMs: 4000 + random() * 6000, side: ["leader", ...sides] },
  ];
};

/** An admin sleeps through an election of which not everyone hears, and wakes up with changes to make. */
const changesOfAPausedAdmin: Pattern = (random, nodes) => {
  const forMs = 2600 + random() * 2000;
  return [
    { kind: "pause", at: 0, forMs, node: 0 },
    { kind: "pause", at: 0, forMs, node: "leader" },
    { kind: "drop", at: 2000, forMs: 2600, chance: 0.3 + 0.3 * random() },
    ...Array.from({ length: 3 }, () => change(random, random() * 500)),
    ...Array.from({ length: nodes }, (): Fault => {
      const at = 2600 + random() * 1500;
      return { kind: "cut", at, forMs: 1500, from: below(random, nodes), to: below(random, nodes) };
    }),
  ];
};

/**
 * Two voters come in, and the old ones lose the leader one after the other, each with an older set of voters in mind:
 * they are a quorum of the oldest, and the leader with the new ones is a quorum of the newest.
 */
const staleVoters: Pattern = (random, nodes) => {
  const voters = Math.ceil((nodes + 1) / 2);
  const first = below(random, voters);
  return [
    ...cutOff(first, 0),
    { ...change(random, 60), choice: choiceOf(voters, nodes) },
    { ...change(random, 400), choice: choiceOf(voters + 1, nodes) },
    ...nodesOf(voters)
      .filter((node) => node !== first)
      .flatMap((node) => cutOff(node, 440 + random() * 130)),
  ];
};

/** What makes the action `reconfigure` take this node in, or out. */
function choiceOf(node: number, nodes: number): number {
  return ((node % nodes) + 0.5) / (4 * nodes);
}

function cutOff(node: number, at: number): readonly Fault[] {
  return [
    { kind: "cut", at, forMs: 8000, from: "leader", to: node },
    { kind: "cut", at, forMs: 8000, from: node, to: "leader" },
  ];
}

function change(random: () => number, at: number): Fault & { readonly kind: "action" } {
  return { kind: "action", at, node: "leader", name: "reconfigure", choice: random() };
}

function nodesOf(nodes: number): readonly number[] {
  return Array.from({ length: nodes }, (_, node) => node);
}

function restarts(
  random: () => number,
  { at, nodes }: { readonly at: number; readonly nodes: readonly number[] },
): readonly Fault[] {
  return nodes
    .filter(() => random() < 0.8)
    .map((node) => crash(random, { at: at + random() * 100, forMs: 20 + random() * 400, node }));
}

function crash(
  random: () => number,
  { at, forMs, node }: { readonly at: number; readonly forMs: number; readonly node: number | "leader" },
): Fault {
  const unsynced = random() < 0.5 ? "kept" : "lost";
  return { kind: "crash", at, forMs, node, unsynced, moment: "now" };
}

function others(nodes: number, one: number): readonly number[] {
  return nodesOf(nodes).filter((node) => node !== one);
}

function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}
