import type { Fault } from "@chorus/sim";
import { patterns as ofElection } from "../election/patterns.ts";
import type { Course } from "./course.ts";

/** Faults that hurt together. */
export type Pattern = (random: () => number, nodes: number) => readonly Fault[];

/** What somebody would try who knows how the stack works. Node `nodes - 1` is the outside. */
export function patterns(course: Course): readonly Pattern[] {
  const known = electionPatterns(course === "changing" ? "logged" : "fixed");
  return [...known, zombie, zombies, minority, powerCut, unheardLeader, killedInFlush, lostLeaders];
}

/** Those that were thought of for the election alone; they know nothing of a node outside. */
function electionPatterns(course: "fixed" | "logged"): readonly Pattern[] {
  return ofElection(course).map(
    (pattern): Pattern =>
      (random, nodes) =>
        pattern(random, nodes - 1),
  );
}

/** Processes die in their flush, and are back at once with what only the cache has. */
export const killedInFlush: Pattern = (random, nodes) =>
  Array.from({ length: 4 }, (): Fault => {
    const at = random() * 4000;
    const forMs = 400 + random() * 1000;
    const node = below(random, nodes - 1);
    return { kind: "crash", at, forMs, node, unsynced: "kept", moment: "at-sync" };
  });

/**
 * One leader after the other writes what nobody hears and is lost; then the first comes back and is heard by some
 * (Raft's figure 8).
 */
export const lostLeaders: Pattern = (random, nodes) => {
  const rounds = 2 + below(random, 3);
  return Array.from({ length: rounds }, (_, round): readonly Fault[] => {
    const at = round * (3200 + random() * 1200);
    const lasts = 300 + random() * 1500;
    const heard = random() < 0.4 ? below(random, nodes - 1) : -1;
    const cuts = peersOf(nodes)
      .filter((node) => node !== heard)
      .map((to) => ({ kind: "cut", at, forMs: lasts + 3000, from: "leader", to }) as const);
    const unsynced = random() < 0.5 ? "kept" : "lost";
    const forMs = 2600 + random() * 3000;
    return [...cuts, { kind: "crash", at: at + lasts, forMs, node: "leader", unsynced, moment: "now" }];
  }).flat();
};

/** A peer stands still for longer than its leases last, and goes on. */
const zombie: Pattern = (random, nodes) => {
  const at = random() * 500;
  return [{ kind: "pause", at, forMs: 3200 + random() * 4000, node: below(random, nodes - 1) }];
};

/** Peers that work stand still or die again and again, so that others come between what they know and what they do. */
export const zombies: Pattern = (random, nodes) =>
  Array.from({ length: 5 }, (_, i): Fault => {
    const at = i * 900 * random();
    const node = below(random, nodes - 1);
    if (random() < 0.5) return { kind: "pause", at, forMs: 3000 + random() * 3000, node };
    return { kind: "crash", at, forMs: 100 + random() * 2000, node, unsynced: "kept", moment: "now" };
  });

/** A leader keeps the smaller side, with its clients. */
const minority: Pattern = (random, nodes) => {
  const forMs = 4000 + random() * 6000;
  const other = below(random, nodes - 1);
  const side = nodes > 5 ? (["leader", other] as const) : (["leader"] as const);
  return [{ kind: "partition", at: 0, forMs, side: random() < 0.5 ? [...side, nodes - 1] : side }];
};

/** Some or all lose power, one after the other, while the leader is heard by one at most. */
const powerCut: Pattern = (random, nodes) => {
  const heard = below(random, nodes - 1);
  return peersOf(nodes)
    .filter(() => random() < 0.7)
    .flatMap((node): readonly Fault[] => {
      const at = 300 + random() * 1500;
      const cut: Fault = { kind: "cut", at: 0, forMs: at, from: "leader", to: node };
      const unsynced = random() < 0.6 ? "lost" : "torn";
      const crash: Fault = { kind: "crash", at, forMs: 50 + random() * 500, node, unsynced, moment: "now" };
      return node === heard ? [crash] : [cut, crash];
    });
};

/** The leader's entries reach one peer; then it is cut off, comes back, and so on with the next. */
const unheardLeader: Pattern = (random, nodes) => {
  const rounds = 2 + below(random, 3);
  return Array.from({ length: rounds }, (_, round): readonly Fault[] => {
    const at = round * (3000 + random() * 1500);
    const heard = below(random, nodes - 1);
    return peersOf(nodes)
      .filter((node) => node !== heard)
      .map((to) => ({ kind: "cut", at, forMs: 2500 + random() * 2500, from: "leader", to }) as const);
  }).flat();
};

function peersOf(nodes: number): readonly number[] {
  return Array.from({ length: nodes - 1 }, (_, node) => node);
}

function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}
