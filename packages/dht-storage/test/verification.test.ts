import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeCanonical, encodeCanonical, type Cid, type PeerStream } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { sealBytes } from "../src/age.ts";
import { contentOf, sealEnvelope, sha256, type BlobEnvelope } from "../src/blob-envelope.ts";
import { openMeshKeys } from "../src/index.ts";
import { decodeFrame, encodeFrame, PROTOCOL, type Message } from "../src/wire.ts";
import {
  CLUSTER,
  content,
  inChunks,
  meshKeys,
  setup,
  signerOf,
  text,
  type Member,
  type Mesh,
} from "./fixtures/mesh.ts";

const decision = { codec: "dag-cbor", class: "decision" } as const;
const artifact = { codec: "raw", class: "artifact" } as const;
const blockMark = 0;

/** A peer that answers what the test says, frame by frame; undefined leaves a frame unanswered. */
async function liar(
  mesh: Mesh,
  name: string,
  answer: (message: Message) => Promise<readonly Uint8Array[]> | readonly Uint8Array[],
): Promise<void> {
  const peer = mesh.network.join(await signerOf(name));
  peer.streams.handle(PROTOCOL, async (stream: PeerStream) => {
    for await (const frame of stream.frames)
      for (const reply of await answer(decodeFrame(frame) as Message)) await stream.send(reply);
    await stream.close();
  });
}

/** An envelope by `author`, valid in every field that the test does not change. */
async function envelopeBy(author: string, addr: Cid, sealed: Uint8Array, change: Partial<BlobEnvelope> = {}) {
  const signer = await signerOf(author);
  const whole: BlobEnvelope = {
    cluster: CLUSTER,
    addr,
    ...contentOf([sha256(sealed)]),
    size: sealed.length,
    class: "decision",
    role: "mesh",
    epoch: 1,
    author: signer.peer,
    created: Date.now(),
    expires: null,
    ...change,
  };
  return (await sealEnvelope(whole, signer)).bytes;
}

const warnings = (member: Member): string =>
  JSON.stringify(member.log.filter(({ level }) => level === "warn" || level === "error"));

describe("wrong bytes from a storer", () => {
  it("are never answered: flipped block, reported, and the right one is taken from another peer", async () => {
    await using mesh = setup();
    const good = await mesh.join("good");
    const { cid } = await good.storage.put(text("the truth"), decision);
    // Flips one bit of each block that the good peer sends, as a bad disk or a liar would.
    const flipped = (streams: Member["network"]["streams"]): typeof streams => ({
      ...streams,
      handle: (protocol, handler) =>
        streams.handle(protocol, (stream) =>
          handler({
            ...stream,
            send: (frame) => {
              const copy = frame.slice();
              if (copy[0] === blockMark) copy[copy.length - 1]! ^= 1;
              return stream.send(copy);
            },
          }),
        ),
    });
    const names = ["liar-1", "liar-2", "liar-3"];
    const liars = await Promise.all(names.map((name) => mesh.join(name, { streams: flipped })));
    for (const { storage } of liars) expect(await storage.get(cid)).toBeDefined();
    const reader = await mesh.join("reader");
    expect(await reader.storage.get(cid)).toEqual(new Uint8Array(text("the truth")));
    await good.stop();
    const other = await mesh.join("other", { keepReads: false });
    await reader.stop();
    await expect(other.storage.get(cid)).rejects.toMatchObject({
      code: "dht-storage/bad-copies",
      retryable: true,
    });
    for (const { peer } of liars) expect(warnings(other)).toContain(peer);
    expect(await other.storage.has(cid)).toBe(false);
  });

  it("are refused when the address asked for is another one", async () => {
    await using mesh = setup();
    const victim = await mesh.join("victim");
    const { cid } = await victim.storage.put(text("asked for"), decision);
    await victim.stop();
    const sealed = await sealBytes(text("something else"), meshKeys().recipients);
    const bytes = await envelopeBy("liar", cid, sealed);
    await liar(mesh, "liar", (message) =>
      message.t === "have" ? [encodeFrame({ t: "held", envelopes: [bytes] })] : [encodeFrame(sealed)],
    );
    const reader = await mesh.join("reader");
    await expect(reader.storage.get(cid)).rejects.toMatchObject({ code: "dht-storage/bad-copies" });
    expect(warnings(reader)).toContain("the plaintext is not what the address says");
    expect(await reader.storage.has(cid)).toBe(false);
  });

  it("are refused when an author seals several blocks of something else, and nothing of it stays", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const { cid: other } = await a.storage.putStream(inChunks(content(2_500_000), 100_000), artifact);
    const heldFrames = a.sent;
    const b = await mesh.join("b");
    await b.storage.get(other);
    const held = heldFrames
      .map((frame) => (frame[0] === 0 ? undefined : decodeFrame(frame)))
      .find(
        (frame) => frame !== undefined && !(frame instanceof Uint8Array) && frame.t === "held",
      ) as Extract<Message, { t: "held" }>;
    const original = decodeCanonical(held.envelopes[0]!) as unknown as BlobEnvelope;
    const { cid } = await a.storage.put(text("the right one"), artifact);
    await a.stop();
    await b.stop();
    const signer = await signerOf("liar");
    const { cluster, ct, size, blocks, role, epoch, created, expires } = original;
    const forged = { cluster, ct, size, blocks, role, epoch, created, expires, class: "artifact" as const };
    const { bytes } = await sealEnvelope({ ...forged, addr: cid, author: signer.peer }, signer);
    const files = new Map(blockFilesOf(a).map((path) => [path.slice(-64), path]));
    await liar(mesh, "liar", (message) => {
      if (message.t === "have") return [encodeFrame({ t: "held", envelopes: [bytes] })];
      if (message.t !== "want") return [];
      return message.hashes.map((hash) =>
        encodeFrame(readFileSync(files.get(Buffer.from(hash).toString("hex"))!)),
      );
    });
    const reader = await mesh.join("reader");
    await expect(reader.storage.get(cid)).rejects.toMatchObject({ code: "dht-storage/bad-copies" });
    expect(blockFilesOf(reader)).toEqual([]);
  });

  it("are refused when they break the protocol in any way", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const { cid } = await a.storage.put(text("x"), decision);
    await a.stop();
    const wrong: readonly (readonly Uint8Array[])[] = [
      [new Uint8Array()],
      [Uint8Array.of(0xff, 1, 2)],
      [encodeFrame({ t: "ack" })],
      [encodeFrame(content(10))],
      [encodeCanonical({ t: "held", envelopes: [], extra: 1 })],
      [encodeCanonical({ t: "held", envelopes: Array.from({ length: 9 }, () => new Uint8Array()) })],
      [new Uint8Array(1_572_864)],
      [encodeFrame({ t: "held", envelopes: [content(100)] })],
    ];
    for (const [i, frames] of wrong.entries()) await liar(mesh, `liar-${i}`, () => frames);
    const reader = await mesh.join("reader");
    await expect(reader.storage.get(cid)).rejects.toMatchObject({ code: "dht-storage/bad-copies" });
    for (const i of wrong.keys()) expect(warnings(reader)).toContain((await signerOf(`liar-${i}`)).peer);
  });
});

describe("a damaged disk", () => {
  it("is noticed; the damaged block alone is fetched again from a peer", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const b = await mesh.join("b");
    const bytes = content(3_200_000);
    const { cid } = await a.storage.putStream(inChunks(bytes, 64_000), artifact);
    await b.storage.get(cid);
    const [path] = blockFilesOf(a);
    const damaged = readFileSync(path!);
    damaged[1000]! ^= 4;
    writeFileSync(path!, damaged);
    b.sent.length = 0;
    expect(Buffer.compare((await a.storage.get(cid))!, bytes)).toBe(0);
    expect(b.sent.filter((frame) => frame[0] === blockMark)).toHaveLength(1);
    expect(warnings(a)).toContain("damaged");
    expect(await a.storage.has(cid)).toBe(true);
  });

  it("is never answered from when nobody has the right bytes", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const { cid } = await a.storage.put(content(100_000), artifact);
    const [path] = blockFilesOf(a);
    writeFileSync(path!, content(100_000));
    expect(await a.storage.get(cid)).toBeUndefined();
    const b = await mesh.join("b");
    expect(await b.storage.get(cid)).toBeUndefined();
  });
});

describe("what a storer takes", () => {
  const offer = async (
    mesh: Mesh,
    to: Member,
    envelope: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Message> => {
    const peer = mesh.network.join(await signerOf("offerer"));
    const stream = await peer.streams.open(to.peer, PROTOCOL, { signal: AbortSignal.timeout(10_000) });
    await stream.send(encodeFrame({ t: "put", envelope }));
    for await (const frame of stream.frames) {
      const message = decodeFrame(frame) as Message;
      if (message.t !== "need") return message;
      await stream.send(encodeFrame(sealed));
    }
    throw new Error("no answer");
  };
  const cases: readonly [string, Partial<BlobEnvelope>][] = [
    ["another mesh", { cluster: "other" }],
    ["the future", { created: Date.now() + 3_600_000 }],
    ["an expired blob", { expires: Date.now() - 1 }],
    ["a size over its class", { size: 400_000 }],
    ["blocks that do not add up", { blocks: [new Uint8Array(32), new Uint8Array(32)] }],
    ["an open mesh's key", { role: "open" }],
  ];

  it("is a sound envelope with its bytes, even from another peer than the author", async () => {
    await using mesh = setup();
    const storer = await mesh.join("storer");
    const { cid } = await (await mesh.join("other")).storage.put(text("x"), {
      ...decision,
      class: "ephemeral",
    });
    const sealed = await sealBytes(text("x"), meshKeys().recipients);
    expect(await offer(mesh, storer, await envelopeBy("author", cid, sealed), sealed)).toEqual({ t: "ack" });
  });

  it.each(cases)("is not %s", async (_, change) => {
    await using mesh = setup();
    const storer = await mesh.join("storer");
    const { cid } = await (await mesh.join("other")).storage.put(text("x"), decision);
    const sealed = await sealBytes(text("x"), meshKeys().recipients);
    const answer = await offer(mesh, storer, await envelopeBy("author", cid, sealed, change), sealed);
    expect(answer).toMatchObject({ t: "refused" });
  });

  it("is not an envelope that was changed after it was signed, nor bytes with another hash", async () => {
    await using mesh = setup();
    const storer = await mesh.join("storer");
    const { cid } = await (await mesh.join("other")).storage.put(text("x"), decision);
    const sealed = await sealBytes(text("x"), meshKeys().recipients);
    const bytes = await envelopeBy("author", cid, sealed);
    const changed = encodeCanonical({ ...(decodeCanonical(bytes) as object), epoch: 2 });
    expect(await offer(mesh, storer, changed, sealed)).toMatchObject({ t: "refused" });
    const wrong = sealed.slice();
    wrong[wrong.length - 1]! ^= 1;
    await expect(offer(mesh, storer, bytes, wrong)).rejects.toMatchObject({ code: "dht-storage/refused" });
  });
});

describe("an open mesh", () => {
  it("is said in a warning, and peers without a secret can read each other", async () => {
    await using mesh = setup();
    const keys = openMeshKeys({ cluster: CLUSTER });
    const a = await mesh.join("a", { keys });
    const b = await mesh.join("b", { keys });
    expect(warnings(a)).toContain("storage is not protected");
    const { cid } = await a.storage.put(text("for everybody"), decision);
    await a.stop();
    expect(await b.storage.get(cid)).toEqual(new Uint8Array(text("for everybody")));
  });

  it("gives a peer without the key a typed error", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const stranger = await mesh.join("b", { keys: openMeshKeys({ cluster: CLUSTER }) });
    const { cid } = await a.storage.put(text("not for all"), decision);
    await expect(stranger.storage.get(cid)).rejects.toMatchObject({ code: "dht-storage/no-key" });
  });
});

function blockFilesOf({ directory }: Member): string[] {
  return readdirSync(join(directory, "blocks"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.length > 64)
    .map((name) => join(directory, "blocks", name));
}
