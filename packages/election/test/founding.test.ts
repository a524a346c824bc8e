import { describe, expect, it } from "vitest";
import { PROFILES } from "../src/core/state.ts";
import type { Message } from "../src/wire.ts";
import { Script } from "./fixtures/script.ts";
import { peers } from "./fixtures/setup.ts";

/** Two peers that wait for each other; what one of these kinds says is kept back. */
function waiting(...kinds: readonly Message["kind"][]): { mesh: Script; kept: Message[] } {
  const kept: Message[] = [];
  const mesh = new Script([0, 1].map(() => ({ settings: { expect: 2 } })));
  mesh.lost = (_from, to, message) => {
    const keeps = to < 2 && kinds.includes(message.kind);
    if (keeps) kept.push(message);
    return keeps;
  };
  mesh.within(20_000, () => mesh.state(1).pledge !== undefined);
  return { mesh, kept };
}

const numberOf = (mesh: Script, n: number): number | undefined => mesh.state(n).pledge?.number;

describe("a founding that is taken back and proposed again", () => {
  it("does not count an approval of what was taken back, as its voter is free since", () => {
    const { mesh, kept } = waiting("approval");
    mesh.within(20_000, () => mesh.state(0).pledge === undefined);
    mesh.within(1000, () => mesh.state(1).pledge === undefined);
    const late = kept.shift()!;
    mesh.lost = (_from, _to, { kind }) => kind === "found";
    mesh.within(20_000, () => mesh.state(0).proposal?.approvals.length === 1);
    mesh.effects.length = 0;
    mesh.feed(0, { kind: "message", from: peers[1]!, message: late });
    expect(mesh.state(0).config).toBeUndefined();
    const { founding } = mesh.state(0).pledge!.config;
    expect(mesh.effects).toEqual([
      { kind: "send", to: peers[1], message: { kind: "withdraw", founding, number: 1 } },
    ]);
    mesh.lost = () => false;
    mesh.within(20_000, () => mesh.leader() !== undefined);
  });
  it("is not left by a voter that hears late that it was taken back", () => {
    const { mesh, kept } = waiting("approval", "withdraw");
    mesh.within(40_000, () => numberOf(mesh, 0) === 2 && numberOf(mesh, 1) === 2);
    const late = kept.find(({ kind }) => kind === "withdraw")!;
    mesh.feed(1, { kind: "message", from: peers[0]!, message: late });
    expect(numberOf(mesh, 1)).toBe(2);
    expect(mesh.disk(1)?.pledge?.number).toBe(2);
  });
  it("is not forgotten for the first proposal of it, which comes late", () => {
    const { mesh } = waiting("approval", "withdraw");
    const late = { kind: "found", ...mesh.state(1).pledge! } as const;
    mesh.within(40_000, () => numberOf(mesh, 1) === 2);
    mesh.effects.length = 0;
    mesh.feed(1, { kind: "message", from: peers[0]!, message: late });
    expect(numberOf(mesh, 1)).toBe(2);
    expect(mesh.effects).toEqual([]);
  });
  it("has a new number also after a restart, and the same one when it was not taken back", () => {
    const { mesh } = waiting("approval");
    mesh.boot(0);
    mesh.advance(PROFILES.lan.beat);
    expect(numberOf(mesh, 0)).toBe(1);
    mesh.within(20_000, () => mesh.state(0).pledge === undefined);
    mesh.boot(0);
    mesh.within(20_000, () => mesh.state(0).pledge !== undefined);
    expect(numberOf(mesh, 0)).toBe(2);
  });
});

it("a founding whose first words are lost begins a beat later", () => {
  const mesh = new Script([0, 1, 2].map(() => ({ settings: { expect: 3 } })));
  mesh.lost = (_from, _to, { kind }) => kind === "found";
  mesh.advance(700);
  expect(mesh.states().every(({ config }) => config === undefined)).toBe(true);
  mesh.lost = () => false;
  mesh.within(PROFILES.lan.beat + 100, () => mesh.states().every(({ config }) => config !== undefined));
});
