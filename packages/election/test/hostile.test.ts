import { describe, expect, it } from "vitest";
import { equivocations, signBallot, verifyChange } from "../src/certificate.ts";
import { firstConfig } from "../src/config.ts";
import type { AdminCert } from "../src/contract.ts";
import type { Effect } from "../src/core/state.ts";
import { step } from "../src/core/step.ts";
import { type EquivocationProof, verifyCertificate, verifyEquivocation } from "../src/index.ts";
import { encodeMessage, type Message, PROTOCOL, TOPIC } from "../src/wire.ts";
import { canonicalCertificate, canonicalProof } from "../src/wire-parts.ts";
import { memoryVoteStore } from "../src/testing/index.ts";
import { Script } from "./fixtures/script.ts";
import { peers, setup, signers, until } from "./fixtures/setup.ts";
import { certificateOf, changeOf, withVoters } from "./fixtures/signed.ts";

const last = { term: 0, index: 0 };

describe("a hostile voter", () => {
  it("cannot use up the terms: a leap is refused with its stream and changes nothing", async () => {
    await using mesh = await setup();
    const { voting, store } = await mesh.join(0, { role: "voter", voters: peers.slice(0, 3) });
    const insider = mesh.network.join(signers[1]!);
    const before = voting.term();
    const { config } = (await store.load()) ?? { config: voting.config()! };
    const term = 2 ** 40;
    const leaps: Message[] = [
      { kind: "vote-request", term, config: config!, last },
      { kind: "vote-reply", term, granted: false, signature: new Uint8Array() },
      { kind: "beat-ack", term, number: 1, cterm: 0, version: 1 },
      { kind: "certificate", certificate: await certificateOf(config!, term, [1, 2]) },
    ];
    for (const leap of leaps) {
      const stream = await insider.streams.open(peers[0]!, PROTOCOL, new AbortController());
      await stream.send(encodeMessage(leap));
      await expect(Array.fromAsync(stream.frames)).rejects.toMatchObject({ code: "kernel/invalid-input" });
    }
    await insider.pubsub.publish(
      TOPIC,
      "admin-certificate",
      canonicalCertificate(await certificateOf(config!, term, [1, 2])),
    );
    await until(() => mesh.logs.includes("gossip refused"));
    expect(voting.term()).toBe(before);
    expect(voting.admin()).toBeUndefined();
  });
  it("that signs twice in a term is shown to everyone, with a proof that stands alone", async () => {
    await using mesh = await setup();
    const voters = peers.slice(0, 3);
    const config = firstConfig("mesh", voters);
    const { voting } = await mesh.join(3, { role: "observer", voters });
    const far = await mesh.join(4, { role: "observer", voters });
    mesh.network.join(signers[2]!);
    const insider = mesh.network.join(signers[0]!);
    insider.streams.handle(PROTOCOL, async (stream) => {
      await Array.fromAsync(stream.frames);
      await stream.close();
    });
    const proofs: EquivocationProof[] = [];
    for (const one of [voting, far.voting])
      void (async () => {
        for await (const event of one.events(new AbortController()))
          if (event.kind === "equivocation") proofs.push(event.proof);
      })();
    const stream = await insider.streams.open(peers[3]!, PROTOCOL, new AbortController());
    for (const votes of [
      [0, 2],
      [1, 2],
    ])
      await stream.send(
        encodeMessage({ kind: "certificate", certificate: await certificateOf(config, 5, votes) }),
      );
    await until(() => proofs.length === 2);
    const [proof] = proofs;
    expect(proof).toMatchObject({ voter: peers[2], term: 5 });
    expect(await verifyEquivocation(proof!)).toBe(true);
    for (const forged of [
      { ...proof!, voter: peers[1]! },
      { ...proof!, term: 6 },
      { ...proof!, other: proof!.one },
      { ...proof!, one: { ...proof!.one, candidate: peers[3]! } },
    ])
      expect(await verifyEquivocation(forged)).toBe(false);
    // Repeated, it is known already; the admin is still the first one.
    await insider.pubsub.publish(TOPIC, "equivocation", canonicalProof(proof!));
    await insider.pubsub.publish(TOPIC, "equivocation", canonicalProof({ ...proof!, term: 6 }));
    await until(() => mesh.logs.filter((line) => line === "proof refused").length === 2);
    expect(proofs).toHaveLength(2);
    expect(voting.admin()).toMatchObject({ peer: peers[0], term: 5 });
  });
  it("that votes for the loser of a term and for its winner is shown by the loser", async () => {
    const voters = peers.slice(0, 5);
    const mesh = new Script([{ voters }]);
    mesh.within(5000, () => mesh.state(0).role === "pre-candidate");
    for (const n of [1, 2]) {
      const message = { kind: "pre-vote-reply", term: 1, granted: true } as const;
      mesh.feed(0, { kind: "message", from: peers[n]!, message });
    }
    expect(mesh.state(0).role).toBe("candidate");
    const config = firstConfig("mesh", voters);
    const signature = await signBallot({ config, term: 1, candidate: peers[0]! }, signers[2]!);
    const message = { kind: "vote-reply", term: 1, granted: true, signature } as const;
    mesh.feed(0, { kind: "message", from: peers[2]!, message });
    const winner = async (...votes: number[]): Promise<readonly Effect[]> => {
      const certificate = await certificateOf(config, 1, votes);
      return step(mesh.state(0), { kind: "certificate", certificate, from: peers[1]! }, mesh.now).effects;
    };
    expect((await winner(1, 3, 4)).filter(({ kind }) => kind === "equivocation")).toEqual([]);
    const [shown] = (await winner(1, 2, 3)).filter((effect) => effect.kind === "equivocation");
    const [proof, ...others] = equivocations(shown!.one, shown!.other);
    expect(others).toEqual([]);
    expect(proof).toMatchObject({ voter: peers[2], term: 1 });
    expect(await verifyEquivocation(proof!)).toBe(true);
  });
});

describe("a certificate of a term that is over", () => {
  it("names no admin, but still shows in which term the configuration was confirmed", async () => {
    await using mesh = await setup();
    const voters = peers.slice(0, 3);
    const config = firstConfig("mesh", voters);
    const store = memoryVoteStore();
    await store.save({ term: 7, config });
    const { voting } = await mesh.join(0, { role: "voter", voters }, store);
    const insider = mesh.network.join(signers[1]!);
    const stream = await insider.streams.open(peers[0]!, PROTOCOL, new AbortController());
    const certificate = await certificateOf(config, 5, [1, 2]);
    await stream.send(encodeMessage({ kind: "certificate", certificate }));
    await until(() => voting.config()?.cterm === 5);
    expect(voting.term()).toBe(7);
    expect(voting.admin()).toBeUndefined();
  });
});

describe("a peer that was away for more changes than anyone keeps", () => {
  it("says once that its store must be removed, and only when voters of that mesh said so", async () => {
    await using mesh = await setup();
    const config = firstConfig("mesh", peers.slice(0, 3));
    const { voting } = await mesh.join(3, { role: "observer", voters: peers.slice(0, 3) });
    const events: unknown[] = [];
    void (async () => {
      for await (const event of voting.events(new AbortController())) events.push(event);
    })();
    const insider = mesh.network.join(signers[0]!);
    const stream = await insider.streams.open(peers[3]!, PROTOCOL, new AbortController());
    const send = (certificate: AdminCert): Promise<void> =>
      stream.send(encodeMessage({ kind: "certificate", certificate }));
    const far = { ...config, version: 34 };
    await send({ ...(await certificateOf(far, 4, [0, 1])), term: 5 });
    await send(await certificateOf({ ...config, version: 33 }, 5, [0, 1]));
    await until(() => mesh.logs.includes("certificate refused"));
    expect(events).toEqual([]);
    await send(await certificateOf(far, 5, [0, 1]));
    await send(await certificateOf(far, 6, [0, 1]));
    await until(() => events.length > 0);
    await mesh.clock.advance(0);
    expect(events).toEqual([{ kind: "left-behind", own: 1, theirs: 34 }]);
    expect(mesh.logs).toContain("too many changes of the voters were missed: the vote store must be removed");
    expect(voting.admin()).toBeUndefined();
  });
});

describe("a change of the voters", () => {
  const first = firstConfig("mesh", peers.slice(0, 3));
  it("is one that a majority of the voters before signed, one voter and one version further", async () => {
    const next = withVoters(first, 2, [0, 1, 2, 3]);
    expect(await verifyChange(await changeOf(first, next, [0, 1]), first)).toBe(true);
    // Whatever term confirmed it since.
    expect(await verifyChange(await changeOf(first, next, [0, 1]), { ...first, cterm: 2 })).toBe(true);
    for (const bad of [
      await changeOf(first, next, [0]),
      await changeOf(first, next, [0, 3]),
      await changeOf(first, withVoters(first, 2, [0, 1, 3]), [0, 1]),
      await changeOf(first, { ...next, version: 3 }, [0, 1]),
      await changeOf(first, { ...next, founding: "other" }, [0, 1]),
      { ...(await changeOf(first, next, [0, 1])), config: { ...next, cterm: 3 } },
    ])
      expect(await verifyChange(bad, first)).toBe(false);
  });
  it("leads a stranger from the voters it trusts to those that elected the admin", async () => {
    const second = withVoters(first, 1, [0, 1]);
    const third = withVoters(second, 1, [0, 1, 4]);
    const changes = [await changeOf(first, second, [0, 1]), await changeOf(second, third, [0, 1])];
    const certificate = await certificateOf(third, 2, [4, 0]);
    expect(await verifyCertificate(certificate, first, changes)).toBe(true);
    expect(await verifyCertificate(certificate, first)).toBe(false);
    expect(await verifyCertificate(certificate, first, changes.slice(1))).toBe(false);
  });
});
