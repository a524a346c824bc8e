import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PeerId } from "@chorus/kernel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Voter, VoteState } from "../src/contract.ts";
import { firstConfig } from "../src/config.ts";
import { ALL_RULES } from "../src/core/rules.ts";
import { adminOf, type Input, PROFILES, type Role, TRANSITIONS } from "../src/core/state.ts";
import { start } from "../src/core/start.ts";
import { step } from "../src/core/step.ts";
import { encodeMessage, type Message, parseMessage } from "../src/wire.ts";
import { peers } from "./fixtures/setup.ts";
import { Script } from "./fixtures/script.ts";
import { row, Simulation } from "./fixtures/simulation.ts";

const timing = PROFILES.lan;
const table = TRANSITIONS.map(([from, to, cause]) => row(from, to, cause));

describe("the diagram", () => {
  it("shows exactly the transitions of the table", () => {
    const text = readFileSync(join(import.meta.dirname, "..", "DESIGN.md"), "utf8");
    const drawn = [...text.matchAll(/^ {2}([a-z-]+ --> [a-z-]+: .+)$/gm)].map(([, line]) => line);
    expect(drawn.join("\n")).toEqual(table.join("\n"));
  });
});

/** A mesh of one voter that meets a lower founding gives way while it leads. */
function folding(): ReadonlySet<string> {
  const mesh = new Script([0, 1].map((n) => ({ voters: [peers[n]!], settings: { automatic: true } })));
  mesh.lost = () => true;
  mesh.within(1000, () => [0, 1].every((n) => mesh.state(n).role === "admin"));
  mesh.lost = () => false;
  for (const n of [0, 1]) mesh.feed(n, { kind: "connected", peer: peers[1 - n]! });
  mesh.within(10_000, () => [0, 1].some((n) => mesh.state(n).role === "observer"));
  return mesh.transitions;
}

/** Three voters; the admin 0 changes them as wished, and 2 is cut off and asks who would vote for it. */
function cutOff(change: (voters: readonly Voter[]) => readonly Voter[]): Script {
  const mesh = new Script([0, 1, 2].map(() => ({ voters: peers.slice(0, 3) })));
  mesh.within(10_000, () => mesh.leader() === 0 && mesh.state(2).certificate !== undefined);
  mesh.lost = (from, to) => from === 2 || to === 2;
  mesh.feed(0, { kind: "reconfigure", voters: change(mesh.state(0).config!.voters) });
  mesh.within(1000, () => mesh.state(0).config?.version === 2);
  mesh.within(5000, () => mesh.state(2).role === "pre-candidate");
  return mesh;
}

function without2(voters: readonly Voter[]): readonly Voter[] {
  return voters.filter(({ peer }) => peer !== peers[2]);
}

function preferring0(voters: readonly Voter[]): readonly Voter[] {
  return voters.map((voter) => (voter.peer === peers[0] ? { ...voter, priority: 9 } : voter));
}

/** A candidate hears of a change that was made before its term. */
function changed(change: typeof without2, role: Role): ReadonlySet<string> {
  const mesh = cutOff(change);
  const { term, config } = mesh.state(2);
  const message = { kind: "pre-vote-reply", term: term + 1, granted: true } as const;
  mesh.feed(2, { kind: "message", from: peers[1]!, message });
  expect(mesh.state(2).role).toBe("candidate");
  mesh.feed(2, { kind: "change", change: mesh.state(0).changes[0]!, previous: config });
  expect(mesh.state(2).role).toBe(role);
  return mesh.transitions;
}

/** A voter that does not hear the admin any more is named as its successor, and tells it its own term. */
function named(): ReadonlySet<string> {
  const mesh = cutOff(preferring0);
  const { term } = mesh.state(2);
  const signature = new Uint8Array(64);
  mesh.feed(2, { kind: "message", from: peers[0]!, message: { kind: "transfer", term, signature } });
  expect(mesh.state(2).role).toBe("candidate");
  const refusal = { kind: "vote-reply", term: term + 1, granted: false, signature } as const;
  mesh.feed(0, { kind: "message", from: peers[2]!, message: refusal });
  expect(mesh.state(0).role).toBe("follower");
  return mesh.transitions;
}

describe("the rules", () => {
  const seeds = process.env["SLOW"] === "1" ? 20_000 : 300;
  const taken = new Map<number, Set<string>>();
  /** The transitions of all runs, which are made once. */
  const transitionsOf = (count: number): ReadonlySet<string> => {
    const transitions = taken.get(count) ?? new Set<string>();
    if (taken.has(count)) return transitions;
    let dead = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const simulation = new Simulation(seed, { peers, voters: peers.slice(0, count), end: 80_000 });
      simulation.run();
      if (simulation.holders().length === 0) dead++;
      for (const one of simulation.transitions) transitions.add(one);
    }
    expect(dead).toBeLessThanOrEqual(seeds * 0.01);
    taken.set(count, transitions);
    return transitions;
  };
  it.each([1, 3])(`hold for %i voters in ${seeds} faulty runs`, { timeout: 900_000 }, (count) => {
    for (const one of transitionsOf(count)) expect(table).toContain(one);
  });
  it("take every transition of the table in some run, and no other", { timeout: 900_000 }, () => {
    const chosen = [folding(), changed(without2, "observer"), changed(preferring0, "follower"), named()];
    const all = [transitionsOf(1), transitionsOf(3), ...chosen].flatMap((transitions) => [...transitions]);
    expect([...new Set(all)].toSorted()).toEqual(table.toSorted());
  });
  it("break, and the simulation sees it, when a restarted voter forgets its term and vote", {
    timeout: 60_000,
  }, () => {
    const breaks = (seed: number): boolean => {
      const voters = peers.slice(0, 3);
      const simulation = new Simulation(seed, { peers: voters, voters, end: 80_000, forgetful: true });
      try {
        simulation.run();
        return false;
      } catch {
        return true;
      }
    };
    expect(Array.from({ length: 400 }, (_, i) => i + 1).some(breaks)).toBe(true);
  });
  it("break, and the simulation sees it, without stickiness", { timeout: 120_000 }, () => {
    const breaks = (seed: number): boolean => {
      const setup = { peers, voters: peers.slice(0, 3), end: 80_000, rules: { stickiness: false } };
      try {
        new Simulation(seed, setup).run();
        return false;
      } catch {
        return true;
      }
    };
    expect(Array.from({ length: 1000 }, (_, i) => i + 1).some(breaks)).toBe(true);
  });
  it.each([true, false])(
    "let a lease start with the first beat that a quorum acknowledged: %s",
    (leaseStart) => {
      const rules = { ...ALL_RULES, leaseStart };
      const mesh = new Script(
        [0, 1, 2].map((n) => ({ voters: peers.slice(0, 3), rules, settings: { eligible: n !== 1 } })),
      );
      mesh.lost = (from, to, { kind }) =>
        from === 0 && (to === 2 || kind === "beat" || kind === "certificate");
      mesh.within(5000, () => mesh.state(0).role === "admin");
      mesh.lost = (from, to) => from === 0 || to === 0;
      mesh.within(1400, () => mesh.state(2).role === "admin");
      mesh.advance(20);
      const holders = [0, 2].filter((n) => adminOf(mesh.state(n), mesh.now) !== undefined);
      expect(holders).toEqual(leaseStart ? [2] : [0, 2]);
    },
  );
  it("persist every change of term, vote and configuration before anything else", () => {
    const voters = peers.slice(0, 3);
    const first = firstConfig("mesh", voters);
    const last = { term: 0, index: 0 };
    const message: fc.Arbitrary<Message> = fc.oneof(
      fc.record({
        kind: fc.constant("pre-vote" as const),
        term: fc.nat(9),
        founding: fc.constant(first.founding),
        cterm: fc.nat(3),
        version: fc.nat(2),
        last: fc.constant(last),
      }),
      fc.record({ kind: fc.constant("pre-vote-reply" as const), term: fc.nat(9), granted: fc.boolean() }),
      fc.record({
        kind: fc.constant("vote-request" as const),
        term: fc.nat(9),
        config: fc.nat(3).map((cterm) => ({ ...first, cterm })),
        last: fc.constant(last),
      }),
      fc.record({
        kind: fc.constant("vote-reply" as const),
        term: fc.nat(9),
        granted: fc.boolean(),
        signature: fc.constant(new Uint8Array(64)),
      }),
      fc.record({
        kind: fc.constantFrom("beat" as const, "beat-ack" as const),
        term: fc.nat(9),
        number: fc.nat(9),
        cterm: fc.nat(9),
        version: fc.nat(3),
      }),
      fc.record({ kind: fc.constant("resign" as const), term: fc.nat(9) }),
      fc.constant({ kind: "probe" as const, founding: "", version: 0 }),
    );
    const input: fc.Arbitrary<Input> = fc.oneof(
      fc.constant({ kind: "tick" as const }),
      fc.record({ kind: fc.constant("message" as const), from: fc.constantFrom(...peers), message }),
      fc.record({
        kind: fc.constantFrom("connected" as const, "disconnected" as const),
        peer: fc.constantFrom(...peers),
      }),
      fc.constant({ kind: "hand-over" as const }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(input, fc.nat(3000)), { maxLength: 60 }), (inputs) => {
        let now = 0;
        const common = { self: peers[0]!, cluster: "mesh", role: "voter", timing } as const;
        let state = start({ ...common, voters, stored: undefined, now, seed: 1 });
        const votes = new Map<number, PeerId | undefined>();
        for (const [one, pause] of inputs) {
          now += pause;
          const { state: after, effects } = step(state, one, now);
          const changed =
            after.term !== state.term || after.votedFor !== state.votedFor || after.config !== state.config;
          expect(effects.map(({ kind }) => kind).lastIndexOf("persist")).toBe(changed ? 0 : -1);
          expect(after.term).toBeGreaterThanOrEqual(state.term);
          const before = votes.get(after.term);
          if (before !== undefined) expect(after.votedFor).toBe(before);
          votes.set(after.term, after.votedFor);
          state = after;
        }
      }),
      { numRuns: process.env["SLOW"] === "1" ? 20_000 : 500 },
    );
  });
  it("give no vote after a restart until one timeout has passed, where there are several voters", () => {
    const voters = peers.slice(0, 3);
    const common = { self: peers[0]!, cluster: "mesh", role: "voter", timing, seed: 1, now: 0 } as const;
    const config = start({ ...common, voters, stored: undefined }).config!;
    const ask = {
      kind: "message",
      from: peers[1]!,
      message: { kind: "vote-request", term: 9, config, last: { term: 0, index: 0 } },
    } as const;
    const votes = (stored: VoteState | undefined, now: number): boolean =>
      step(start({ ...common, voters, stored }), ask, now).effects.some(({ kind }) => kind === "vote");
    expect(votes(undefined, 0)).toBe(true);
    expect(votes({ term: 3, config }, 2499)).toBe(false);
    expect(votes({ term: 3, config }, 2500)).toBe(true);
    expect(votes({ term: 9, votedFor: peers[2]!, config }, 2500)).toBe(false);
    expect(votes({ term: 9, votedFor: peers[1]!, config }, 2500)).toBe(true);
    expect(votes({ term: 10, config }, 2500)).toBe(false);
  });
});

describe("messages", () => {
  it("read back what was written, and refuse any other shape", () => {
    const term = 2;
    for (const message of [
      { kind: "probe", founding: "f", version: 3 },
      { kind: "beat", term, number: 7, version: 1 },
      { kind: "beat-ack", term, number: 7, cterm: 2, version: 1 },
      { kind: "resign", term },
      { kind: "resign", term, successor: peers[1]! },
      { kind: "transfer", term, signature: new Uint8Array(64) },
      { kind: "withdraw", founding: "f", number: 2 },
      { kind: "found", config: firstConfig("mesh", peers.slice(0, 2)), number: 2 },
      { kind: "pre-vote", term, founding: "f", cterm: 1, version: 1, last: { term: 1, index: 4 } },
      { kind: "vote-reply", term, granted: true, signature: new Uint8Array(64) },
    ] as const)
      expect(parseMessage(encodeMessage(message))).toEqual(message);
    for (const bad of [
      { kind: "beat", term: 2 ** 53 - 1, number: 1, version: 1 },
      { kind: "beat", term: -1, number: 1, version: 1 },
      { kind: "nonsense", term },
      { kind: "pre-vote-reply", term, granted: 1 },
    ])
      expect(() => parseMessage(encodeMessage(bad as never))).toThrow(
        expect.objectContaining({ code: "kernel/invalid-input" }),
      );
  });
});
