import { describe, expect, it } from "vitest";
import type { AdminCert } from "../src/index.ts";
import { verifyCertificate } from "../src/index.ts";
import { signBallot } from "../src/certificate.ts";
import { firstConfig } from "../src/config.ts";
import { encodeMessage, parseMessage, PROTOCOL, TOPIC } from "../src/wire.ts";
import { canonicalCertificate } from "../src/wire-parts.ts";
import { memoryVoteStore } from "../src/testing/index.ts";
import { peers, record, setup, signers, until } from "./fixtures/setup.ts";

const [voter, observer] = [0, 1];

describe("a lone voter", () => {
  it("is admin at once, with a certificate that holds", async () => {
    await using mesh = await setup();
    const { voting } = await mesh.join(voter, { role: "voter" });
    expect(voting.isAdmin()).toBe(false);
    await until(() => voting.isAdmin());
    const admin = voting.admin()!;
    expect(admin).toMatchObject({ peer: peers[voter], term: 1 });
    expect(await verifyCertificate(admin.certificate, voting.config()!)).toBe(true);
  });
  it("keeps the lead in one term as long as it beats", async () => {
    await using mesh = await setup();
    const { voting } = await mesh.join(voter, { role: "voter" });
    await until(() => voting.isAdmin());
    for (let i = 0; i < 100; i++) {
      await mesh.clock.advance(333);
      expect(voting.isAdmin()).toBe(true);
    }
    expect(voting.admin()?.term).toBe(1);
  });
  it("has its term and vote stored before it leads", async () => {
    await using mesh = await setup();
    const inner = memoryVoteStore();
    const gate = Promise.withResolvers<void>();
    const store = {
      ...inner,
      save: async (state: Parameters<typeof inner.save>[0]) => {
        await gate.promise;
        await inner.save(state);
      },
    };
    const { voting } = await mesh.join(voter, { role: "voter" }, store);
    await mesh.clock.advance(1000);
    expect(voting.isAdmin()).toBe(false);
    gate.resolve();
    await until(() => voting.isAdmin());
    expect(await inner.load()).toMatchObject({ term: 1, votedFor: peers[voter] });
  });
  it("does not lead while its vote cannot be stored, and does once it can", async () => {
    await using mesh = await setup();
    const inner = memoryVoteStore();
    let full = true;
    const store = {
      ...inner,
      save: (state: Parameters<typeof inner.save>[0]) =>
        full ? Promise.reject(new Error("disk full")) : inner.save(state),
    };
    const { voting } = await mesh.join(voter, { role: "voter" }, store);
    await mesh.clock.advance(3000);
    expect(voting.admin()).toBeUndefined();
    expect(mesh.logs).toContain("vote could not be stored");
    full = false;
    await mesh.clock.advance(500);
    await until(() => voting.isAdmin());
  });
  it("raises the term after a restart and keeps its vote and configuration", async () => {
    await using mesh = await setup();
    const first = await mesh.join(voter, { role: "voter" });
    await until(() => first.voting.isAdmin());
    await first.kill();
    expect(await first.store.load()).toMatchObject({ term: 1, votedFor: peers[voter], config: { cterm: 1 } });
    const again = await mesh.join(voter, { role: "voter" }, first.store);
    await until(() => again.voting.isAdmin());
    expect(again.voting.admin()?.term).toBe(2);
    expect(again.voting.config()).toMatchObject({ cterm: 2, version: 1, voters: [{ peer: peers[voter] }] });
    expect(await verifyCertificate(again.voting.admin()!.certificate, first.voting.config()!)).toBe(true);
  });
  it("takes a new term when it was stopped for longer than its lease", async () => {
    await using mesh = await setup();
    const { clock } = mesh;
    const { voting } = await mesh.join(voter, { role: "voter" });
    await until(() => voting.isAdmin());
    const monotonic = clock.monotonic.bind(clock);
    Object.assign(clock, { monotonic: () => monotonic() + 10_000 });
    expect(voting.isAdmin()).toBe(false);
    await clock.advance(500);
    await until(() => voting.admin()?.term === 2);
  });
  it("refuses a store of another mesh, or without a place for it", async () => {
    await using mesh = await setup();
    const store = memoryVoteStore();
    await store.save({
      term: 4,
      config: firstConfig("other", [peers[0]!]),
    });
    await expect(mesh.join(voter, { role: "voter" }, store)).rejects.toMatchObject({
      code: "election/wrong-store",
    });
    const taken = memoryVoteStore();
    await taken.save({ term: 4, config: firstConfig("mesh", [peers[voter]!]) });
    await expect(mesh.join(voter, { role: "observer" }, taken)).rejects.toMatchObject({
      code: "election/wrong-store",
    });
    await expect(mesh.join(voter, { role: "voter", voters: [peers[1]!] })).rejects.toMatchObject({
      code: "kernel/invalid-input",
      detail: { path: "voters" },
    });
  });
});

describe("an observer", () => {
  it("learns admin and configuration from a certificate, whoever was there first", async () => {
    await using mesh = await setup();
    const early = await mesh.join(observer, { role: "observer" });
    await mesh.clock.advance(100);
    expect(early.voting.config()).toBeUndefined();
    const admin = await mesh.join(voter, { role: "voter" });
    await until(() => admin.voting.isAdmin());
    const late = await mesh.join(2, { role: "observer" });
    for (const { voting } of [early, late]) {
      await until(() => voting.admin() !== undefined);
      expect(voting.admin()).toMatchObject({ peer: admin.peer, term: 1 });
      expect(voting.isAdmin()).toBe(false);
      expect(voting.config()?.voters).toEqual(admin.voting.config()?.voters);
    }
  });
  it("keeps the configuration on its disk and refuses another one after a restart", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    const first = await mesh.join(observer, { role: "observer" });
    await until(() => first.voting.admin() !== undefined);
    await first.kill();
    await admin.kill();
    const stranger = await mesh.join(3, { role: "voter" });
    await until(() => stranger.voting.isAdmin());
    const again = await mesh.join(observer, { role: "observer" }, first.store);
    await until(() => mesh.logs.includes("certificate refused"));
    await mesh.clock.advance(1000);
    expect(again.voting.config()?.voters).toMatchObject([{ peer: peers[voter] }]);
    expect(again.voting.admin()).toBeUndefined();
  });
  it("refuses certificates that were forged, cut short, or are older", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    const { voting } = await mesh.join(observer, { role: "observer" });
    const insider = mesh.network.join(signers[4]!);
    await until(() => voting.admin() !== undefined);
    const { certificate } = admin.voting.admin()!;
    const ballot = { config: certificate.config, term: 9, candidate: peers[4]! };
    const selfSigned = { voter: peers[4]!, signature: await signBallot(ballot, signers[4]!) };
    const forged: AdminCert[] = [
      { ...certificate, term: 9 },
      { ...certificate, candidate: peers[4]!, term: 9 },
      { ...certificate, term: 9, votes: [] },
      { ...ballot, votes: [selfSigned] },
      { ...ballot, votes: [{ ...selfSigned, voter: peers[voter]! }] },
      { ...certificate, config: { ...certificate.config, version: 2 }, term: 9 },
    ];
    const stream = await insider.streams.open(peers[observer]!, PROTOCOL, new AbortController());
    for (const one of forged) {
      expect(await verifyCertificate(one, voting.config()!)).toBe(false);
      await stream.send(encodeMessage({ kind: "certificate", certificate: one }));
      await insider.pubsub.publish(TOPIC, "admin-certificate", canonicalCertificate(one));
    }
    await until(
      () => mesh.logs.filter((line) => line === "certificate refused").length === 3 * forged.length,
    );
    expect(voting.admin()).toMatchObject({ peer: peers[voter], term: 1 });

    await admin.kill();
    const again = await mesh.join(voter, { role: "voter" }, admin.store);
    await until(() => voting.admin()?.term === 2);
    expect(voting.admin()?.peer).toBe(again.peer);
    await stream.send(encodeMessage({ kind: "certificate", certificate }));
    await insider.pubsub.publish(TOPIC, "admin-certificate", canonicalCertificate(certificate));
    await mesh.clock.advance(0);
    expect(voting.admin()?.term).toBe(2);
  });
  it("refuses the older term also after a restart of its own", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    await until(() => admin.voting.isAdmin());
    const old = admin.voting.admin()!.certificate;
    await admin.kill();
    const again = await mesh.join(voter, { role: "voter" }, admin.store);
    const first = await mesh.join(observer, { role: "observer" });
    await until(() => first.voting.admin()?.term === 2);
    await again.kill();
    await first.kill();
    const { voting } = await mesh.join(observer, { role: "observer" }, first.store);
    const insider = mesh.network.join(signers[4]!);
    await insider.pubsub.publish(TOPIC, "admin-certificate", canonicalCertificate(old));
    await mesh.clock.advance(0);
    expect(voting.admin()).toBeUndefined();
  });
  it("drops only the stream on garbage and goes on", async () => {
    await using mesh = await setup();
    const { voting } = await mesh.join(observer, { role: "observer" });
    const insider = mesh.network.join(signers[4]!);
    const stream = await insider.streams.open(peers[observer]!, PROTOCOL, new AbortController());
    await stream.send(Uint8Array.of(0xff, 1, 2));
    await expect(Array.fromAsync(stream.frames)).rejects.toMatchObject({ code: "kernel/invalid-input" });
    await insider.pubsub.publish(TOPIC, "admin-certificate", { nonsense: true });
    await mesh.join(voter, { role: "voter" });
    await until(() => voting.admin()?.term === 1);
  });
  it("does not believe a beat, a resignation or a certificate's echo by somebody else", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    const { voting } = await mesh.join(observer, { role: "observer" });
    const insider = mesh.network.join(signers[4]!);
    await until(() => voting.admin() !== undefined);
    const { certificate } = voting.admin()!;
    const stream = await insider.streams.open(peers[observer]!, PROTOCOL, new AbortController());
    await stream.send(encodeMessage({ kind: "resign", term: 1 }));
    await stream.send(encodeMessage({ kind: "beat", term: 7, number: 1, version: 1 }));
    await mesh.clock.advance(0);
    expect(voting.admin()).toMatchObject({ peer: peers[voter], term: 1 });
    await admin.kill();
    await until(() => voting.admin() === undefined);
    await stream.send(encodeMessage({ kind: "certificate", certificate }));
    await stream.send(encodeMessage({ kind: "beat", term: 1, number: 99, version: 1 }));
    await mesh.clock.advance(0);
    expect(voting.admin()).toBeUndefined();
  });
});

describe("losing the admin", () => {
  it("is noticed at once when its connection closes", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    const { voting } = await mesh.join(observer, { role: "observer" });
    await until(() => voting.admin() !== undefined);
    const seen = record(voting);
    await admin.kill();
    await until(() => voting.admin() === undefined);
    await mesh.clock.advance(0);

    expect(seen.admins.map((one) => one?.term)).toEqual([1, undefined]);
  });
  it.each([
    ["lan", 2500],
    ["wan", 15_000],
  ] as const)(
    "is noticed after the timeout of profile %s when it only falls silent",
    async (profile, timeoutMs) => {
      await using mesh = await setup();
      const silent = mesh.network.join(signers[voter]!);
      const config = firstConfig("mesh", [peers[voter]!]);
      const ballot = { config, term: 1, candidate: peers[voter]! };
      const signature = await signBallot(ballot, signers[voter]!);
      const { voting } = await mesh.join(observer, { role: "observer", profile });
      const stream = await silent.streams.open(peers[observer]!, PROTOCOL, new AbortController());
      const certificate = { ...ballot, votes: [{ voter: peers[voter]!, signature }] };
      await stream.send(encodeMessage({ kind: "certificate", certificate }));
      await until(() => voting.admin() !== undefined);
      await mesh.clock.advance(timeoutMs / 2);
      await stream.send(encodeMessage({ kind: "beat", term: 1, number: 1, version: 1 }));
      await mesh.clock.advance(timeoutMs - 1);
      expect(voting.admin()?.term).toBe(1);
      await mesh.clock.advance(1);
      expect(voting.admin()).toBeUndefined();
    },
  );
  it("ends when the link heals, in the same term", async () => {
    await using mesh = await setup();
    await mesh.join(voter, { role: "voter" });
    const { voting } = await mesh.join(observer, { role: "observer" });
    await until(() => voting.admin() !== undefined);
    mesh.network.cut(peers[voter]!, peers[observer]!);
    await mesh.clock.advance(60_000);
    expect(voting.admin()).toBeUndefined();
    mesh.network.heal(peers[voter]!, peers[observer]!);
    await until(() => voting.admin()?.term === 1);
  });
});

describe("handing over", () => {
  it("tells observers at once, and the voter stands again only after two timeouts", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    const { voting } = await mesh.join(observer, { role: "observer" });
    await until(() => voting.admin() !== undefined);
    await admin.voting.handOver();
    expect(admin.voting.isAdmin()).toBe(false);
    await until(() => voting.admin() === undefined);
    await mesh.clock.advance(4999);
    expect(voting.admin()).toBeUndefined();
    await mesh.clock.advance(1);
    await until(() => voting.admin()?.term === 2);
  });
  it("is heard by a member that is slow to read, before the last stream ends", async () => {
    await using mesh = await setup();
    const insider = mesh.network.join(signers[4]!);
    const gate = Promise.withResolvers<void>();
    const heard: string[] = [];
    insider.streams.handle(PROTOCOL, async (stream) => {
      await gate.promise;
      for await (const frame of stream.frames) heard.push(parseMessage(frame).kind);
      await stream.close();
    });
    const admin = await mesh.join(voter, { role: "voter" });
    await until(() => admin.voting.isAdmin());
    await admin.voting.handOver();
    const leaving = admin.voting[Symbol.asyncDispose]().then(() => admin.at.leave());
    await mesh.clock.advance(0);
    expect(heard).toEqual([]);
    gate.resolve();
    await leaving;
    expect(heard).toContain("resign");
  });
  it("does nothing on a peer that does not lead, and ends within one beat when a member is stuck", async () => {
    await using mesh = await setup();
    const admin = await mesh.join(voter, { role: "voter" });
    const follower = await mesh.join(observer, { role: "observer" });
    await until(() => follower.voting.admin() !== undefined);
    await follower.voting.handOver();
    expect(follower.voting.admin()?.term).toBe(1);
    const stuck = mesh.network.join(signers[3]!);
    stuck.streams.handle(PROTOCOL, () => new Promise(() => undefined));
    const open = admin.at.streams.open.bind(admin.at.streams);
    Object.assign(admin.at.streams, {
      open: (...call: Parameters<typeof open>) =>
        call[0] === peers[3] ? new Promise(() => undefined) : open(...call),
    });
    const handing = admin.voting.handOver();
    await mesh.clock.advance(500);
    await handing;
    expect(admin.voting.isAdmin()).toBe(false);
  });
});

describe("changes", () => {
  it("starts with the current admin and ends with its signal or the election", async () => {
    await using mesh = await setup();
    const { voting } = await mesh.join(voter, { role: "voter" });
    await until(() => voting.isAdmin());
    const ending = new AbortController();
    const read = Array.fromAsync(voting.changes(ending), (admin) => admin?.term);
    const whole = Array.fromAsync(
      voting.changes({ signal: new AbortController().signal }),
      (admin) => admin?.term,
    );
    await mesh.clock.advance(0);
    ending.abort();
    expect(await read).toEqual([1]);
    await voting[Symbol.asyncDispose]();
    expect(await whole).toEqual([1]);
  });
});
