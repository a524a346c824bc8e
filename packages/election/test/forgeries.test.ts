import { describe, expect, it } from "vitest";
import { equivocations, signApproval, signBallot, signTransfer } from "../src/certificate.ts";
import { firstConfig } from "../src/config.ts";
import type { ElectionConfig } from "../src/contract.ts";
import { verifyCertificate, verifyEquivocation } from "../src/index.ts";
import { memoryVoteStore } from "../src/testing/index.ts";
import { type Message, TOPIC } from "../src/wire.ts";
import { canonicalCertificate } from "../src/wire-parts.ts";
import { type Insider, insider } from "./fixtures/insider.ts";
import { type Member, peers, setup, signers, until } from "./fixtures/setup.ts";
import { certificateOf, changeOf, withVoters } from "./fixtures/signed.ts";

type Mesh = Awaited<ReturnType<typeof setup>>;

const self = peers[0]!;
const last = { term: 0, index: 0 };

const heard = ({ heard: all }: Insider, kind: Message["kind"]): readonly Message[] =>
  all.filter((message) => message.kind === kind);

const refusals = ({ logs }: Mesh, line = "message refused"): number =>
  logs.filter((one) => one === line).length;

/** Peer 0 asks the others, all of them insiders, for their votes in term 2. */
async function standing(mesh: Mesh, count: number) {
  const voters = peers.slice(0, count);
  const config = firstConfig("mesh", voters);
  const store = memoryVoteStore();
  await store.save({ term: 1, config });
  const others = voters.slice(1).map((_, i) => insider(mesh, i + 1));
  const { voting } = await mesh.join(0, { role: "voter", voters }, store);
  await mesh.clock.advance(2500);
  await until(() => heard(others[0]!, "pre-vote").length > 0);
  for (const one of others) await one.say(self, { kind: "pre-vote-reply", term: 2, granted: true });
  await until(() => heard(others[0]!, "vote-request").length > 0);
  const voteOf = async (n: number, by = n, term = 2): Promise<Message> => {
    const signature = await signBallot({ config, term, candidate: self }, signers[by]!);
    return { kind: "vote-reply", term, granted: true, signature };
  };
  return { voting, others, voteOf, hasWon: () => voting.config()?.cterm === 2 };
}

/** Peer 0 follows peer 1, the admin of term 2, and has just promised it to vote for nobody; peer 2 votes, too. */
async function following(mesh: Mesh): Promise<{
  readonly member: Member;
  readonly admin: Insider;
  readonly other: Insider;
  readonly config: ElectionConfig;
}> {
  const voters = peers.slice(0, 3);
  const first = firstConfig("mesh", voters);
  const [admin, other] = [insider(mesh, 1), insider(mesh, 2)];
  const member = await mesh.join(0, { role: "voter", voters });
  const certificate = await certificateOf(first, 2, [1, 2]);
  const beat = { kind: "beat", term: 2, number: 1, version: 1 } as const;
  await admin.say(self, { kind: "certificate", certificate }, beat);
  await until(() => heard(admin, "beat-ack").length > 0);
  expect(member.voting.admin()).toMatchObject({ peer: peers[1], term: 2 });
  return { member, admin, other, config: { ...first, cterm: 2 } };
}

describe("a vote", () => {
  it("that its voter did not sign, or not for this candidacy, is not counted", async () => {
    await using mesh = await setup();
    const { others, voteOf, hasWon } = await standing(mesh, 3);
    const term1 = await voteOf(1, 1, 1);
    for (const forged of [await voteOf(1, 2), { ...term1, term: 2 } as Message])
      await others[0]!.say(self, forged);
    expect(refusals(mesh)).toBe(2);
    expect(hasWon()).toBe(false);
    await others[0]!.say(self, await voteOf(1));
    expect(hasWon()).toBe(true);
  });
  it("counts once, however often it comes, and not in another term", async () => {
    await using mesh = await setup();
    const { voting, others, voteOf, hasWon } = await standing(mesh, 5);
    const vote = await voteOf(1);
    await others[0]!.say(self, ...Array.from({ length: 20 }, () => vote));
    await others[1]!.say(self, await voteOf(2, 2, 1));
    expect(hasWon()).toBe(false);
    expect(heard(others[0]!, "certificate")).toEqual([]);
    await others[1]!.say(self, await voteOf(2));
    expect(hasWon()).toBe(true);
    const ack = { kind: "beat-ack", term: 2, number: 1, cterm: 2, version: 1 } as const;
    for (const one of others.slice(0, 2)) await one.say(self, ack);
    expect(voting.isAdmin()).toBe(true);
  });
  it("is not given for a configuration of the candidate's own term, by which nobody could lead", async () => {
    await using mesh = await setup();
    const voters = peers.slice(0, 3);
    const config = { ...firstConfig("mesh", voters), cterm: 2 };
    expect(await verifyCertificate(await certificateOf(config, 2, [1, 2]), config)).toBe(false);
    const candidate = insider(mesh, 1);
    await mesh.join(0, { role: "voter", voters });
    for (const term of [2, 3]) await candidate.say(self, { kind: "vote-request", term, config, last });
    await until(() => heard(candidate, "vote-reply").length === 2);
    expect(heard(candidate, "vote-reply")).toMatchObject([{ granted: false }, { term: 3, granted: true }]);
  });
});

describe("an approval", () => {
  it("that its voter did not sign founds nothing", async () => {
    await using mesh = await setup();
    const other = insider(mesh, 1);
    const { voting } = await mesh.join(0, { role: "voter", expect: 2 });
    const wish = { wants: true, eligible: true, priority: 0, founding: "" };
    await other.pubsub.publish(TOPIC, "presence", { role: "observer", uptimeMs: 1000, ...wish });
    await mesh.clock.advance(5000);
    await until(() => heard(other, "found").length > 0);
    const config = firstConfig("mesh", peers.slice(0, 2));
    const approvalBy = async (n: number): Promise<Message> => {
      const signature = await signApproval({ previous: undefined, config }, signers[n]!);
      return { kind: "approval", config, number: 1, signature };
    };
    await other.say(self, await approvalBy(2));
    expect(refusals(mesh)).toBe(1);
    expect(voting.config()).toBeUndefined();
    await other.say(self, await approvalBy(1));
    expect(voting.config()).toEqual(config);
  });
});

describe("a hand-over", () => {
  it("that the admin did not sign, or for another successor, makes nobody stand", async () => {
    await using mesh = await setup();
    const { member, admin, config } = await following(mesh);
    const transferTo = async (n: number, by: number): Promise<Message> => {
      const signature = await signTransfer({ config, term: 2, successor: peers[n]! }, signers[by]!);
      return { kind: "transfer", term: 2, signature };
    };
    await admin.say(self, await transferTo(0, 2), await transferTo(2, 1));
    expect(refusals(mesh)).toBe(2);
    expect(member.voting.term()).toBe(2);
    expect(member.voting.admin()).toMatchObject({ peer: peers[1] });
    await admin.say(self, await transferTo(0, 1));
    expect(member.voting.term()).toBe(3);
  });
  it("that the admin did not sign, or for another candidate, frees no voter from its promise", async () => {
    await using mesh = await setup();
    const { member, other, config } = await following(mesh);
    const requestWith = async (n: number, by: number): Promise<Message> => {
      const signature = await signTransfer({ config, term: 2, successor: peers[n]! }, signers[by]!);
      return { kind: "vote-request", term: 3, config, last, transfer: { term: 2, signature } };
    };
    await other.say(self, await requestWith(2, 2), await requestWith(0, 1));
    expect(refusals(mesh)).toBe(2);
    expect(member.voting.term()).toBe(2);
    expect(member.voting.admin()).toMatchObject({ peer: peers[1] });
    await other.say(self, await requestWith(2, 1));
    await until(() => heard(other, "vote-reply").length > 0);
    expect(heard(other, "vote-reply")).toMatchObject([{ term: 3, granted: true }]);
    expect(await member.store.load()).toMatchObject({ term: 3, votedFor: peers[2] });
  });
});

describe("a change of the voters", () => {
  it("is not made where one of the majority did not sign it", async () => {
    await using mesh = await setup();
    const { member, other, config } = await following(mesh);
    const change = await changeOf(config, withVoters(config, 2, [0, 1, 2, 3]), [1, 2]);
    const [vote] = change.approvals;
    const forged = { ...change, approvals: [vote!, { ...vote!, voter: peers[2]! }] };
    await other.say(self, { kind: "change", change: forged });
    expect(refusals(mesh, "change refused")).toBe(1);
    expect(member.voting.config()?.version).toBe(1);
    await other.say(self, { kind: "change", change });
    expect(member.voting.config()?.version).toBe(2);
  });
});

describe("a founding", () => {
  it("is not complete where one of its voters did not sign it", async () => {
    await using mesh = await setup();
    const [proposer, config] = [insider(mesh, 0), firstConfig("mesh", peers.slice(0, 3))];
    const { voting } = await mesh.join(1, { role: "voter", expect: 3 });
    await proposer.say(peers[1]!, { kind: "found", config, number: 1 });
    await until(() => heard(proposer, "approval").length > 0);
    const change = await changeOf(undefined, config, [0, 1, 2]);
    const [first, second] = change.approvals;
    const forged = { ...change, approvals: [first!, second!, { ...first!, voter: peers[2]! }] };
    await proposer.say(peers[1]!, { kind: "change", change: forged });
    expect(refusals(mesh, "change refused")).toBe(1);
    expect(voting.config()).toBeUndefined();
    await proposer.say(peers[1]!, { kind: "change", change });
    expect(voting.config()).toEqual(config);
  });
});

describe("a certificate", () => {
  it("of another cluster tells a peer that knows no mesh nothing", async () => {
    await using mesh = await setup();
    const stranger = insider(mesh, 4);
    const { voting } = await mesh.join(0, { role: "observer" });
    const of = (cluster: string) => certificateOf(firstConfig(cluster, [peers[4]!]), 1, [4]);
    await stranger.say(self, { kind: "certificate", certificate: await of("other") });
    await stranger.pubsub.publish(TOPIC, "admin-certificate", canonicalCertificate(await of("other")));
    await until(() => refusals(mesh, "certificate refused") === 2);
    expect(voting.config()).toBeUndefined();
    expect(voting.admin()).toBeUndefined();
    await stranger.say(self, { kind: "certificate", certificate: await of("mesh") });
    expect(voting.admin()).toMatchObject({ peer: peers[4], term: 1 });
  });
});

/** Values that no parser lets through, in the place of each field. */
function distorted<T extends object>(value: T): readonly T[] {
  const bad = [undefined, null, 1.5, 2 ** 53, Number.NaN, "\ud800", {}];
  return Object.keys(value).flatMap((key) => bad.map((one) => ({ ...value, [key]: one })));
}

describe("what was never parsed", () => {
  const config = firstConfig("mesh", peers.slice(0, 3));
  it("is no certificate, and not a reason to throw", async () => {
    const certificate = await certificateOf(config, 2, [0, 1]);
    expect(await verifyCertificate(certificate, config)).toBe(true);
    const configs = distorted(config).map((one) => ({ ...certificate, config: one }));
    for (const one of [...distorted(certificate), ...configs, {} as never, undefined as never])
      expect(await verifyCertificate(one, config)).toBe(false);
    for (const one of configs) expect(await verifyCertificate(one, one.config)).toBe(false);
    const next = withVoters(config, 2, [0, 1]);
    const change = await changeOf(config, next, [0, 1]);
    for (const one of distorted(change))
      expect(await verifyCertificate(await certificateOf(next, 3, [0, 1]), config, [one])).toBe(false);
  });
  it("is no proof of a lie, and not a reason to throw", async () => {
    const [one, other] = [await certificateOf(config, 2, [0, 2]), await certificateOf(config, 2, [1, 2])];
    const proof = equivocations(one, other)[0]!;
    expect(await verifyEquivocation(proof)).toBe(true);
    const ballots = distorted(proof.one).map((ballot) => ({ ...proof, one: ballot }));
    for (const bad of [...distorted(proof), ...ballots, {} as never, undefined as never])
      expect(await verifyEquivocation(bad)).toBe(false);
  });
});
