import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PeerId } from "@chorus/kernel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { VoteState } from "../src/contract.ts";
import { firstConfig } from "../src/config.ts";
import {
  adminOf,
  type Effect,
  type Input,
  PROFILES,
  type State,
  TRANSITIONS,
  wakeAt,
} from "../src/core/state.ts";
import { start } from "../src/core/start.ts";
import { step } from "../src/core/step.ts";
import { encodeMessage, type Message, parseMessage } from "../src/wire.ts";
import { peers } from "./fixtures/setup.ts";

const timing = PROFILES.lan;
const row = (from: string, to: string, cause: string): string => `${from} --> ${to}: ${cause}`;
const table = TRANSITIONS.map(([from, to, cause]) => row(from, to, cause));

interface Machine {
  readonly peer: PeerId;
  disk: VoteState | undefined;
  state: State | undefined;
}

/** Mulberry32. */
function sequence(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let x = Math.imul(at ^ (at >>> 15), 1 | at);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A mesh of voters on one clock: loss, duplication, delay, partitions, crashes; quiet in the last 20 seconds. */
class Simulation {
  readonly transitions = new Set<string>();
  readonly adminOfTerm = new Map<number, PeerId>();
  readonly machines: readonly Machine[];
  now = 0;
  readonly #queue: { readonly at: number; readonly run: () => void }[] = [];
  #cut = new Map<PeerId, number>();
  readonly #random: () => number;
  readonly #end: number;
  /** Breaks every disk on purpose: a restarted peer finds nothing. */
  forgetful = false;

  constructor(seed: number, voters: readonly PeerId[], end: number) {
    this.#random = sequence(seed);
    this.#end = end;
    this.machines = voters.map((peer) => ({ peer, disk: undefined, state: undefined }));
    for (const machine of this.machines) this.#later(this.#random() * 2000, () => this.#boot(machine));
    for (let at = 5000; at < end - 25_000; at += 1000 + this.#random() * 8000)
      this.#later(at, () => this.#fault());
    this.#later(end - 20_000, () => this.#heal());
  }

  run(): void {
    while (this.#queue.length > 0) {
      let first = 0;
      for (const [i, { at }] of this.#queue.entries()) if (at < (this.#queue[first]?.at ?? 0)) first = i;
      const [next] = this.#queue.splice(first, 1);
      if (next === undefined || next.at > this.#end) return;
      this.now = Math.max(this.now, next.at);
      next.run();
      this.#check();
    }
  }

  holders(): readonly Machine[] {
    return this.machines.filter(({ state }) => state?.role === "admin" && adminOf(state, this.now));
  }

  #check(): void {
    expect(this.holders().length).toBeLessThanOrEqual(1);
    for (const { state, peer } of this.machines)
      if (state?.role === "admin") {
        expect(this.adminOfTerm.get(state.term) ?? peer).toBe(peer);
        this.adminOfTerm.set(state.term, peer);
      }
  }

  #later(delay: number, run: () => void): void {
    this.#queue.push({ at: this.now + delay, run });
  }

  #boot(machine: Machine): void {
    if (machine.state !== undefined) return;
    const voters = this.machines.map(({ peer }) => peer);
    const seed = Math.floor(this.#random() * 2 ** 31);
    const common = { self: machine.peer, cluster: "mesh", role: "voter", timing } as const;
    const stored = this.forgetful ? undefined : machine.disk;
    machine.state = start({ ...common, voters, stored, now: this.now, seed });
    this.#alarm(machine);
  }

  #feed(machine: Machine, input: Input): void {
    if (machine.state === undefined) return;
    const { state, effects } = step(machine.state, input, this.now);
    for (const effect of effects) this.#perform(machine, effect);
    machine.state = state;
    this.#alarm(machine);
  }

  #alarm(machine: Machine): void {
    const { state } = machine;
    if (state === undefined) return;
    this.#later(Math.max(0, wakeAt(state) - this.now), () => {
      if (machine.state === state) this.#feed(machine, { kind: "tick" });
    });
  }

  #perform(machine: Machine, effect: Effect): void {
    const from = machine.peer;
    if (effect.kind === "persist") machine.disk = effect.state;
    else if (effect.kind === "transition") this.transitions.add(row(effect.from, effect.to, effect.cause));
    else if (effect.kind === "send") this.#send(from, effect.to, effect.message);
    else if (effect.kind === "broadcast")
      for (const { peer } of this.machines) this.#send(from, peer, effect.message);
    else if (effect.kind === "vote") this.#vote(machine, effect.candidate, effect.term);
  }

  #vote(machine: Machine, candidate: PeerId, term: number): void {
    const signature = new Uint8Array(64);
    if (candidate !== machine.peer)
      this.#send(machine.peer, candidate, { kind: "vote-reply", term, granted: true, signature });
    else this.#later(0, () => this.#feed(machine, { kind: "own-vote", term, signature }));
  }

  #send(from: PeerId, to: PeerId, message: Message): void {
    const machine = this.machines.find(({ peer }) => peer === to);
    if (machine === undefined || from === to) return;
    const input: Input =
      message.kind === "certificate"
        ? { kind: "certificate", certificate: message.certificate, from }
        : { kind: "message", from, message };
    for (const delay of this.#delays(from, to)) this.#later(delay, () => this.#feed(machine, input));
  }

  /** When the copies of a message arrive; none when it is lost. */
  #delays(from: PeerId, to: PeerId): readonly number[] {
    if ((this.#cut.get(from) ?? 0) !== (this.#cut.get(to) ?? 0)) return [];
    const usual = 2 + this.#random() * 40;
    if (this.now > this.#end - 20_000) return [usual];
    const fate = this.#random();
    if (fate < 0.1) return [];
    if (fate < 0.15) return [usual, usual + this.#random() * 3000];
    return [fate < 0.2 ? usual + this.#random() * 3000 : usual];
  }

  #fault(): void {
    const kind = this.#random();
    const leader = this.machines.find(({ state }) => state?.role === "admin");
    const some = this.machines[Math.floor(this.#random() * this.machines.length)];
    const victim = kind < 0.3 ? leader : some;
    if (kind < 0.55 && victim !== undefined) {
      victim.state = undefined;
      this.#later(100 + this.#random() ** 2 * 8000, () => this.#boot(victim));
    } else if (kind < 0.65 && leader !== undefined) this.#feed(leader, { kind: "hand-over" });
    else {
      this.#cut = new Map(this.machines.map(({ peer }) => [peer, Math.floor(this.#random() * 2)]));
      this.#later(1000 + this.#random() * 12_000, () => this.#heal());
    }
  }

  #heal(): void {
    this.#cut.clear();
    if (this.now >= this.#end - 20_000) for (const machine of this.machines) this.#boot(machine);
  }
}

describe("the diagram", () => {
  it("shows exactly the transitions of the table", () => {
    const text = readFileSync(join(import.meta.dirname, "..", "DESIGN.md"), "utf8");
    const drawn = [...text.matchAll(/^ {2}([a-z-]+ --> [a-z-]+: .+)$/gm)].map(([, line]) => line);
    expect(drawn.join("\n")).toEqual(table.join("\n"));
  });
});

describe("the rules", () => {
  const seeds = process.env["SLOW"] === "1" ? 20_000 : 300;
  it.each([1, 3])(`hold for %i voters in ${seeds} faulty runs`, { timeout: 900_000 }, (count) => {
    const transitions = new Set<string>();
    let dead = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const simulation = new Simulation(seed, peers.slice(0, count), 80_000);
      simulation.run();
      if (simulation.holders().length === 0) dead++;
      for (const one of simulation.transitions) transitions.add(one);
    }
    expect(dead).toBeLessThanOrEqual(seeds * 0.01);
    for (const one of transitions) expect(table).toContain(one);
    if (count > 1) expect(transitions.size).toBeGreaterThan(10);
  });
  it("break, and the simulation sees it, when a restarted voter forgets its term and vote", {
    timeout: 60_000,
  }, () => {
    const breaks = (seed: number): boolean => {
      const simulation = new Simulation(seed, peers.slice(0, 3), 80_000);
      simulation.forgetful = true;
      try {
        simulation.run();
        return false;
      } catch {
        return true;
      }
    };
    expect(Array.from({ length: 400 }, (_, i) => i + 1).some(breaks)).toBe(true);
  });
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
      { kind: "withdraw", founding: "f" },
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
