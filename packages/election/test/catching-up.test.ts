import { describe, expect, it } from "vitest";
import type { Voter } from "../src/contract.ts";
import { step } from "../src/core/step.ts";
import type { Message } from "../src/wire.ts";
import { Script } from "./fixtures/script.ts";
import { peers } from "./fixtures/setup.ts";

const voter = (n: number, eligible = true): Voter => ({ peer: peers[n]!, eligible, priority: 0 });
const names = (...numbers: number[]) => numbers.map((n) => peers[n]!);
const nothing = (): boolean => false;

describe("a voter that missed its own promotion", () => {
  it("learns it from the candidate that needs its vote, when the admin grew from one", () => {
    const mesh = new Script([{ voters: names(0) }, { voters: names(0) }]);
    mesh.within(1000, () => mesh.leader() === 0 && mesh.state(1).certificate !== undefined);
    mesh.lost = () => true;
    mesh.feed(0, { kind: "reconfigure", voters: [voter(0), voter(1)] });
    mesh.within(5000, () => mesh.state(0).role === "pre-candidate");
    expect(mesh.state(1).role).toBe("observer");
    mesh.lost = nothing;
    mesh.within(5000, () => mesh.leader() !== undefined);
    expect(mesh.state(1).config?.version).toBe(2);
  });
  it("learns it also when it missed two changes and the one that was there is no voter any more", () => {
    const two = { voters: names(0, 1) };
    const mesh = new Script([two, { ...two, settings: { eligible: false } }, two]);
    mesh.within(10_000, () => mesh.leader() === 0 && mesh.state(2).certificate !== undefined);
    mesh.lost = (from, to) => from === 2 || to === 2;
    mesh.feed(0, { kind: "reconfigure", voters: [voter(0), voter(1), voter(2)] });
    mesh.within(
      1000,
      () => mesh.state(1).config?.version === 2 && mesh.state(0).acked[peers[1]!]?.version === 2,
    );
    mesh.feed(0, { kind: "reconfigure", voters: [voter(0), voter(2)] });
    mesh.within(5000, () => mesh.state(0).config?.version === 3 && mesh.state(0).role === "pre-candidate");
    mesh.lost = nothing;
    mesh.within(5000, () => mesh.leader() !== undefined);
    expect(mesh.state(2).config?.version).toBe(3);
  });
});

describe("a candidate that missed a change", () => {
  it("learns it from a voter that cannot lead itself", () => {
    const three = { voters: names(0, 1, 2) };
    const mesh = new Script([three, three, { ...three, settings: { eligible: false } }]);
    mesh.within(10_000, () => mesh.leader() === 0 && mesh.state(1).certificate?.term === mesh.state(0).term);
    mesh.lost = (from, to) => from === 1 || to === 1;
    mesh.feed(0, { kind: "reconfigure", voters: [voter(0), voter(1), voter(2, false)] });
    mesh.within(1000, () => mesh.state(2).config?.version === 2);
    mesh.kill(0);
    mesh.lost = nothing;
    mesh.within(15_000, () => mesh.leader() === 1);
    expect(mesh.state(1).config?.version).toBe(2);
  });
  it("gets the certificate that confirmed the configuration, too, even from a voter that was restarted", () => {
    const three = { voters: names(0, 1, 2) };
    const mesh = new Script([three, three, { ...three, settings: { eligible: false } }]);
    mesh.lost = (from, to) => from === 1 || to === 1;
    mesh.within(10_000, () => mesh.leader() === 0 && mesh.state(2).certificate !== undefined);
    mesh.kill(0);
    mesh.boot(2);
    mesh.lost = nothing;
    mesh.within(15_000, () => mesh.leader() === 1);
    expect(mesh.state(1).term).toBeGreaterThan(1);
  });
});

describe("a voter whose last change never came into force", () => {
  it("learns the one of the same number that did", () => {
    const three = { voters: names(0, 1, 2) };
    const mesh = new Script([three, three, three, three, three]);
    mesh.within(10_000, () => mesh.leader() === 0 && mesh.state(2).certificate?.term === mesh.state(0).term);
    // Peer 0 gets the signatures for its change, and is cut off before anyone hears that it did.
    mesh.lost = (from, _to, { kind }) => from === 0 && kind === "change";
    mesh.feed(0, { kind: "reconfigure", voters: [voter(0), voter(1), voter(2), voter(3)] });
    mesh.within(1000, () => mesh.state(0).config?.version === 2);
    mesh.lost = (from, to) => from === 0 || to === 0;
    mesh.within(15_000, () => mesh.leader() === 1 || mesh.leader() === 2);
    const admin = mesh.leader()!;
    mesh.feed(admin, { kind: "reconfigure", voters: [voter(0), voter(1), voter(2), voter(4)] });
    const other = 3 - admin;
    mesh.within(5000, () => [admin, other].every((n) => mesh.state(n).config?.version === 2));
    mesh.boot(admin);
    mesh.within(
      15_000,
      () => mesh.leader() !== undefined && mesh.state(other).certificate?.config.version === 2,
    );
    mesh.lost = nothing;
    mesh.within(
      5000,
      () =>
        mesh.state(0).alive && mesh.state(0).config?.voters.some(({ peer }) => peer === peers[4]) === true,
    );
    expect(mesh.state(0).certificate?.config.version).toBe(2);
  });
});

describe("a founding whose completion was not heard", () => {
  const founding = (expected: number) => ({ settings: { expect: expected } });
  const isChange = ({ kind }: Message): boolean => kind === "change";

  it.each([
    ["by its other voter", [1]],
    ["by its other voter, before both are restarted", [1, 0]],
  ])("%s is shown again", (_, restarted) => {
    const mesh = new Script([founding(2), founding(2)]);
    mesh.lost = (_from, _to, message) => isChange(message);
    mesh.within(20_000, () => mesh.state(0).config !== undefined);
    mesh.advance(100);
    expect(mesh.state(1).config).toBeUndefined();
    if (restarted.length > 1) for (const n of restarted) mesh.boot(n);
    mesh.lost = nothing;
    mesh.within(15_000, () => mesh.leader() !== undefined);
    expect(mesh.state(1).config?.founding).toBe(mesh.state(0).config?.founding);
    expect(mesh.disk(1)?.pledge).toBeUndefined();
  });
  it("is asked about also where nobody stands", () => {
    const mesh = new Script([founding(2), founding(2)]);
    mesh.lost = (_from, _to, message) => isChange(message) || message.kind === "pre-vote";
    mesh.within(20_000, () => mesh.state(0).config !== undefined);
    mesh.advance(100);
    mesh.lost = (_from, _to, { kind }) => kind === "pre-vote";
    mesh.within(6000, () => mesh.state(1).config !== undefined);
  });
  it("is learnt at once from a candidate", () => {
    const mesh = new Script([founding(2), founding(2)]);
    mesh.lost = (_from, _to, message) => isChange(message);
    mesh.within(20_000, () => mesh.state(0).config !== undefined);
    mesh.within(1000, () => mesh.state(0).role === "pre-candidate");
    mesh.lost = nothing;
    mesh.within(1000, () => mesh.state(1).config !== undefined);
  });
  it("is shown by any of its voters when the proposer is gone", () => {
    const mesh = new Script([founding(3), founding(3), founding(3)]);
    mesh.lost = (_from, to, message) => isChange(message) && to === 2;
    mesh.within(20_000, () => mesh.state(1).config !== undefined);
    mesh.advance(100);
    mesh.kill(0);
    expect(mesh.state(2).pledge).toBeDefined();
    mesh.lost = nothing;
    mesh.within(20_000, () => mesh.leader() !== undefined);
    expect(mesh.state(2).config?.founding).toBe(mesh.state(1).config?.founding);
  });
  it.each([0, 1])("and that was cut short by a restart of peer %i is taken up again", (n) => {
    const mesh = new Script([founding(3), founding(3), founding(3)]);
    mesh.lost = (_from, _to, { kind }) => kind === "approval";
    mesh.within(20_000, () => [0, 1, 2].every((one) => mesh.disk(one)?.pledge !== undefined));
    mesh.kill(n);
    mesh.advance(100);
    mesh.boot(n);
    expect(mesh.state(n).config).toBeUndefined();
    expect(mesh.state(n).pledge).toBeDefined();
    mesh.lost = nothing;
    mesh.within(20_000, () => mesh.leader() !== undefined);
    expect([0, 1, 2].map((one) => mesh.state(one).config?.voters.length)).toEqual([3, 3, 3]);
  });
  it("is taken back once more for whoever missed that it was", () => {
    const mesh = new Script([founding(2), founding(2)]);
    mesh.lost = (_from, _to, { kind }) => kind === "approval" || kind === "withdraw";
    mesh.within(20_000, () => mesh.state(1).pledge !== undefined);
    const pledge = mesh.state(1).pledge!;
    mesh.within(20_000, () => mesh.state(0).pledge === undefined);
    expect(mesh.state(1).pledge).toEqual(pledge);
    const approval = { kind: "approval", ...pledge, signature: new Uint8Array(64) } as const;
    const { effects } = step(
      mesh.state(0),
      { kind: "message", from: peers[1]!, message: approval },
      mesh.now,
    );
    const message = { kind: "withdraw", founding: pledge.config.founding, number: pledge.number } as const;
    expect(effects).toEqual([{ kind: "send", to: peers[1], message }]);
    mesh.feed(1, { kind: "message", from: peers[0]!, message });
    expect(mesh.state(1).pledge).toBeUndefined();
  });
});
