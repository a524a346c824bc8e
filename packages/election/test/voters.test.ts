import { describe, expect, it } from "vitest";
import { verifyCertificate } from "../src/index.ts";
import type { ElectedLog } from "../src/contract.ts";
import type { Member } from "./fixtures/setup.ts";
import { peers, setup, until } from "./fixtures/setup.ts";

type Mesh = Awaited<ReturnType<typeof setup>>;
type Options = Parameters<Mesh["join"]>[1];

const three = peers.slice(0, 3);
const fixed: Options = { role: "voter", voters: three };
/** Voters that change by themselves. */
const growing: Options = { role: "voter", policy: "automatic" };

/** Lets time pass until something holds, and says how much did. */
async function within(mesh: Mesh, limitMs: number, what: () => boolean): Promise<number> {
  for (let passed = 0; passed <= limitMs; passed += 50) {
    if (what()) return passed;
    await mesh.clock.advance(50);
    await settle();
  }
  throw new Error(`not within ${limitMs} ms: ${what.toString()}`);
}

/** Signatures take their own time, which the clock of the mesh does not show. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

function leader(members: readonly Member[]): Member | undefined {
  const leaders = members.filter(({ voting }) => voting.isAdmin());
  expect(leaders.length).toBeLessThanOrEqual(1);
  return leaders[0];
}

async function elected(mesh: Mesh, members: readonly Member[]): Promise<Member> {
  await within(mesh, 20_000, () => {
    const admin = leader(members);
    return admin !== undefined && members.every(({ voting }) => voting.admin()?.peer === admin.peer);
  });
  return leader(members)!;
}

async function joined(mesh: Mesh, numbers: readonly number[], options: Options): Promise<readonly Member[]> {
  const members: Member[] = [];
  for (const n of numbers) members.push(await mesh.join(n, options));
  return members;
}

function names({ voting }: Member): readonly string[] {
  return (voting.config()?.voters ?? []).map(({ peer }) => peer);
}

describe("three voters", () => {
  it("elect one admin that all of them know, with a certificate by two of them", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    const { certificate } = admin.voting.admin()!;
    expect(certificate.votes).toHaveLength(2);
    for (const { voting } of members)
      expect(await verifyCertificate(certificate, voting.config()!)).toBe(true);
  });
  it("elect another one within a timeout when the admin is killed, in a higher term", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    const { term } = admin.voting.admin()!;
    await admin.kill();
    const others = members.filter((member) => member !== admin);
    const passed = await within(mesh, 2500, () => leader(others) !== undefined);
    expect(passed).toBeGreaterThanOrEqual(1000);
    expect(leader(others)!.voting.admin()!.term).toBeGreaterThan(term);
  });
  it("leave the side of the minority without an admin, and agree again after the heal", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    const others = members.filter((member) => member !== admin);
    for (const { peer } of others) mesh.network.cut(admin.peer, peer);
    await within(mesh, 3000, () => !admin.voting.isAdmin());
    await within(mesh, 5000, () => leader(others) !== undefined);
    expect(admin.voting.isAdmin()).toBe(false);
    for (const { peer } of others) mesh.network.heal(admin.peer, peer);
    const next = await elected(mesh, members);
    expect(next).not.toBe(admin);
  });
  it("hold back after a restart: no admin before one timeout has passed", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    await elected(mesh, members);
    for (const member of members) await member.kill();
    const again: Member[] = [];
    for (const [n, { store }] of members.entries()) again.push(await mesh.join(n, fixed, store));
    await mesh.clock.advance(2450);
    await settle();
    expect(leader(again)).toBeUndefined();
    await elected(mesh, again);
  });
  it("never make a witness admin", async () => {
    await using mesh = await setup();
    const witness = await mesh.join(0, { ...fixed, eligible: false });
    const members = [...(await joined(mesh, [1, 2], fixed)), witness];
    const admin = await elected(mesh, members);
    expect(admin).not.toBe(witness);
    await admin.kill();
    const rest = members.filter((member) => member !== admin);
    const next = await elected(mesh, rest);
    expect(next).not.toBe(witness);
  });
  it("hand the lead over in under a second, even when the third is gone", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    await mesh.clock.advance(1000);
    const others = members.filter((member) => member !== admin);
    await others[0]!.kill();
    const handing = admin.voting.handOver();
    const passed = await within(mesh, 1000, () => others[1]!.voting.isAdmin());
    await handing;
    expect(passed).toBeLessThan(1000);
    expect(admin.voting.isAdmin()).toBe(false);
  });
  it("have a successor in under a second also when the leaver is gone as soon as it may", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    await mesh.clock.advance(1000);
    const leaving = (async () => {
      await admin.voting.handOver();
      await admin.voting[Symbol.asyncDispose]();
      admin.at.leave();
    })();
    const others = members.filter((member) => member !== admin);
    await within(mesh, 950, () => leader(others) !== undefined);
    await leaving;
    await within(mesh, 1000, () =>
      others.every(({ voting }) => voting.admin()?.peer === leader(others)!.peer),
    );
  });
  it("fall back to an ordinary election when the successor is gone at that very moment", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    await mesh.clock.advance(1000);
    for (const member of members) if (member !== admin) mesh.network.cut(admin.peer, member.peer);
    const handing = admin.voting.handOver();
    await mesh.clock.advance(1000);
    await handing;
    await within(mesh, 5000, () => leader(members.filter((member) => member !== admin)) !== undefined);
  });
});

describe("a log", () => {
  const log = (own: { term: number; index: number }, asked: number[] = []): ElectedLog => ({
    last: async () => own,
    mayVoteFor: async (_candidate, last) => {
      asked.push(last.index);
      return last.term > own.term || (last.term === own.term && last.index >= own.index);
    },
    isCommittedIn: async () => true,
  });

  it("that ends too early never leads", async () => {
    await using mesh = await setup();
    const short = await mesh.join(0, fixed, undefined, log({ term: 1, index: 3 }));
    const long = [1, 2].map((n) => mesh.join(n, fixed, undefined, log({ term: 1, index: 9 })));
    const members = [short, ...(await Promise.all(long))];
    for (let round = 0; round < 3; round++) {
      const admin = await elected(mesh, members);
      expect(admin).not.toBe(short);
      const handing = admin.voting.handOver();
      await within(mesh, 1000, () => !admin.voting.isAdmin() && leader(members) !== undefined);
      await handing;
    }
  });
  it("is asked only when the candidate's term is on the disk and known", async () => {
    await using mesh = await setup();
    const seen: number[] = [];
    const first = await mesh.join(0, fixed, undefined, log({ term: 0, index: 0 }));
    const asking: { term(): number }[] = [];
    const careful: ElectedLog = {
      last: async () => ({ term: 0, index: 0 }),
      mayVoteFor: async () => {
        seen.push(asking[0]!.term());
        return true;
      },
      isCommittedIn: async () => true,
    };
    const second = await mesh.join(1, { ...fixed, eligible: false }, undefined, careful);
    asking.push(second.voting);
    await elected(mesh, [first, second]);
    // The pre-vote is asked about before the term is raised, the vote after it.
    expect(seen.at(-1)).toBe(first.voting.term());
    expect((await second.store.load())?.term).toBe(first.voting.term());
  });
});

describe("the voters", () => {
  it("become three when two more peers are there for a minute, and every peer can follow the changes", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(0, growing);
    await until(() => admin.voting.isAdmin());
    const members = [
      admin,
      ...(await joined(mesh, [1, 2], { ...growing, expect: 2 })),
      ...(await joined(mesh, [3], { role: "observer" })),
    ];
    await within(mesh, 30_000, () => members.every(({ voting }) => voting.admin()?.peer === admin.peer));
    await mesh.clock.advance(30_000);
    expect(names(admin)).toHaveLength(1);
    await within(mesh, 90_000, () => names(admin).length === 3);
    await within(mesh, 2000, () => members.every((member) => names(member).length === 3));
    expect(admin.voting.isAdmin()).toBe(true);
    const late = await mesh.join(4, { role: "observer" });
    await within(mesh, 6000, () => names(late).length === 3);
    await admin.kill();
    const next = await elected(mesh, members.slice(1, 3));
    await within(mesh, 6000, () => late.voting.admin()?.peer === next.peer);
  });
  it("stay one while only one more peer is there: two would survive no loss at all", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(0, growing);
    await mesh.join(1, { ...growing, expect: 2 });
    await mesh.clock.advance(150_000);
    expect(names(admin)).toEqual([peers[0]]);
  });
  it("are three with a witness, which never leads", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(0, { ...growing, promoteAfterMs: 5000 });
    const second = await mesh.join(1, { ...growing, expect: 2 });
    const witness = await mesh.join(2, { ...growing, eligible: false });
    await within(mesh, 60_000, () => names(witness).length === 3);
    expect(admin.voting.config()?.voters.find(({ peer }) => peer === peers[2])?.eligible).toBe(false);
    await admin.kill();
    expect(await elected(mesh, [second, witness])).toBe(second);
  });
  it("lose a dead one after ten minutes, and never fall below the majority of those expected", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], { ...fixed, policy: "automatic", expect: 3 });
    const admin = await elected(mesh, members);
    const [dead, alive] = members.filter((member) => member !== admin);
    await dead!.kill();
    await mesh.clock.advance(590_000);
    expect(names(admin)).toHaveLength(3);
    await within(mesh, 30_000, () => names(admin).length === 2);
    await within(mesh, 2000, () => names(alive!).length === 2);
    expect(names(admin)).not.toContain(dead!.peer);
    const back = await mesh.join(peers.indexOf(dead!.peer), { ...growing, expect: 3 }, dead!.store);
    await within(mesh, 90_000, () => names(back).length === 3 && names(admin).length === 3);
  });
  it("stay as they are without the policy", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(0, { role: "voter" });
    await joined(mesh, [1, 2], { role: "voter", expect: 3 });
    await mesh.clock.advance(150_000);
    expect(names(admin)).toEqual([peers[0]]);
  });
  it("that were away for several changes follow them all", async () => {
    await using mesh = await setup();
    const quick = { ...growing, promoteAfterMs: 5000 };
    const admin = await mesh.join(0, quick);
    const away = await mesh.join(4, { role: "observer" });
    await within(mesh, 6000, () => names(away).length === 1);
    await away.kill();
    const others = await joined(mesh, [1, 2], { ...quick, expect: 2 });
    await within(mesh, 60_000, () => names(admin).length === 3);
    const handing = admin.voting.handOver();
    await within(mesh, 1000, () => leader(others) !== undefined);
    await handing;
    await elected(mesh, [admin, ...others]);
    const back = await mesh.join(4, { role: "observer" }, away.store);
    await within(mesh, 10_000, () => names(back).length === 3 && back.voting.admin() !== undefined);
  });
});

describe("a founding of several", () => {
  it("waits for all it expects, and then has one admin", async () => {
    await using mesh = await setup();
    const early = await joined(mesh, [0, 1], { role: "voter", expect: 3 });
    await mesh.clock.advance(60_000);
    expect(early.map(({ voting }) => voting.config())).toEqual([undefined, undefined]);
    const members = [...early, await mesh.join(2, { role: "voter", expect: 3 })];
    await elected(mesh, members);
    for (const member of members) expect(names(member)).toEqual(three);
  });
  it("lets latecomers observe", async () => {
    await using mesh = await setup();
    const options: Options = { role: "voter", expect: 3 };
    const members = await joined(mesh, [0, 1, 2], options);
    await elected(mesh, members);
    const late = await joined(mesh, [3, 4], options);
    await within(mesh, 10_000, () => late.every((member) => names(member).length === 3));
  });
});

describe("lone meshes", () => {
  it("become one: the lower founding takes the other in, with its observers", async () => {
    await using mesh = await setup();
    mesh.network.cut(peers[0]!, peers[1]!);
    mesh.network.cut(peers[0]!, peers[2]!);
    const [a, b] = await joined(mesh, [0, 1], growing);
    await until(() => a!.voting.isAdmin() && b!.voting.isAdmin());
    const low = a!.voting.config()!.founding < b!.voting.config()!.founding ? a! : b!;
    const high = low === a ? b! : a!;
    if (high === a) mesh.network.cut(peers[1]!, peers[2]!);
    if (high === a) mesh.network.heal(peers[0]!, peers[2]!);
    const watcher = await mesh.join(2, { role: "observer" });
    await within(mesh, 6000, () => watcher.voting.admin()?.peer === high.peer);
    const folded: string[] = [];
    void (async () => {
      for await (const event of watcher.voting.events(new AbortController())) folded.push(event.kind);
    })();
    for (const x of peers.slice(0, 3)) for (const y of peers.slice(0, 3)) if (x < y) mesh.network.heal(x, y);
    await within(mesh, 20_000, () =>
      [low, high, watcher].every(({ voting }) => voting.admin()?.peer === low.peer),
    );
    expect(high.voting.isAdmin()).toBe(false);
    expect(high.voting.config()).toMatchObject({ founding: low.voting.config()!.founding });
    expect(folded).toContain("folded");
  });
  it("give way to a mesh of several, whatever the foundings are", async () => {
    await using mesh = await setup();
    for (const other of three) mesh.network.cut(peers[4]!, other);
    const members = await joined(mesh, [0, 1, 2], { ...fixed, policy: "automatic" });
    const lone = await mesh.join(4, growing);
    await until(() => lone.voting.isAdmin());
    const admin = await elected(mesh, members);
    for (const other of three) mesh.network.heal(peers[4]!, other);
    await within(mesh, 20_000, () => lone.voting.admin()?.peer === admin.peer);
    await lone.kill();
    const again = await mesh.join(4, growing, lone.store);
    await within(mesh, 10_000, () => again.voting.admin()?.peer === admin.peer);
    expect(names(again)).toEqual(three);
  });
});

describe("a machine that slept", () => {
  it("does not believe its lease, and leads on only after a new quorum", async () => {
    await using mesh = await setup();
    const members = await joined(mesh, [0, 1, 2], fixed);
    const admin = await elected(mesh, members);
    const now = mesh.clock.now.bind(mesh.clock);
    Object.assign(mesh.clock, { now: () => now() + 10_000 });
    expect(admin.voting.isAdmin()).toBe(false);
    await within(mesh, 1000, () => admin.voting.isAdmin());
  });
});
