import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Encrypter } from "age-encryption";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  headerEnd,
  MAX_STANZAS,
  openBytes,
  openStream,
  sealBytes,
  sealedBound,
  sealStream,
} from "../src/age.ts";
import { deriveKeys, openMeshKeys } from "../src/index.ts";
import { collect, content, inChunks, meshKeys } from "./fixtures/mesh.ts";

const keys = meshKeys();
const identities = keys.identities("mesh", 1);
const hasAge = spawnSync("age", ["--version"]).status === 0;

describe("the age wrapper", () => {
  it("refuses to seal to nobody", async () => {
    await expect(sealBytes(content(10), [])).rejects.toMatchObject({ code: "dht-storage/no-recipients" });
    await expect(collect(sealStream(inChunks(content(10), 5), []))).rejects.toMatchObject({
      code: "dht-storage/no-recipients",
    });
  });

  it("refuses what is no recipient", async () => {
    await expect(sealBytes(content(10), ["age1nonsense"])).rejects.toMatchObject({
      code: "dht-storage/bad-ciphertext",
    });
  });

  it("opens what it sealed, whole and in streams", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 70_000 }),
        fc.integer({ min: 1, max: 70_000 }),
        async (bytes, size) => {
          const whole = await sealBytes(bytes, keys.recipients);
          const streamed = await collect(sealStream(inChunks(bytes, size), keys.recipients));
          for (const sealed of [whole, streamed]) {
            expect(sealed.length).toBeLessThanOrEqual(sealedBound(bytes.length));
            expect(Buffer.compare(await openBytes(sealed, identities), bytes)).toBe(0);
            expect(Buffer.compare(await collect(openStream(inChunks(sealed, size), identities)), bytes)).toBe(
              0,
            );
          }
        },
      ),
      { numRuns: process.env["SLOW"] === "1" ? 500 : 20 },
    );
  });

  it("notices any flipped bit, and a cut at any place", async () => {
    const sealed = await sealBytes(content(300), keys.recipients);
    for (let i = 0; i < sealed.length; i++) {
      const flipped = sealed.slice();
      flipped[i]! ^= 1 << (i % 8);
      await expect(openBytes(flipped, identities)).rejects.toMatchObject({
        code: "dht-storage/bad-ciphertext",
      });
      await expect(collect(openStream(inChunks(sealed.slice(0, i), 64), identities))).rejects.toMatchObject({
        code: "dht-storage/bad-ciphertext",
      });
    }
  });

  it("gives a typed error for another key", async () => {
    const other = deriveKeys({ clusterSecret: new Uint8Array(32), cluster: "other" });
    const sealed = await sealBytes(content(10), other.recipients);
    await expect(openBytes(sealed, identities)).rejects.toMatchObject({ code: "dht-storage/bad-ciphertext" });
  });

  it("refuses a header with too many stanzas before it tries one", async () => {
    const many = new Encrypter();
    for (let i = 0; i <= MAX_STANZAS; i++) many.addRecipient(keys.recipients[0]!);
    const sealed = await many.encrypt(content(10));
    await expect(openBytes(sealed, identities)).rejects.toMatchObject({
      code: "dht-storage/bad-ciphertext",
      detail: { problem: "the header has more than 64 stanzas" },
    });
    await expect(collect(openStream(inChunks(sealed, 100), identities))).rejects.toMatchObject({
      detail: { problem: "the header has more than 64 stanzas" },
    });
  });

  it("refuses a header over 64 KiB after reading that much", async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode("age-encryption.org/v1\n-> x y\n");
      for (;;) {
        read += 1000;
        yield new Uint8Array(1000).fill(65);
      }
    }
    await expect(collect(openStream(endless(), identities))).rejects.toMatchObject({
      detail: { problem: "the header is over 65536 bytes" },
    });
    expect(read).toBeLessThan(70_000);
  });

  it("finds the end of a header only when it is whole", async () => {
    const sealed = await sealBytes(new Uint8Array(), keys.recipients);
    const end = headerEnd(sealed)!;
    expect(sealed.length).toBe(end + 16 + 16);
    for (let i = 0; i < end; i++) expect(headerEnd(sealed.subarray(0, i))).toBeUndefined();
  });

  it("throws on what a source throws, unchanged, and leaves a source that it does not finish", async () => {
    const failure = new Error("the source failed");
    let left = 0;
    async function* failing(): AsyncGenerator<Uint8Array> {
      try {
        yield content(100_000);
        throw failure;
      } finally {
        left++;
      }
    }
    await expect(collect(sealStream(failing(), keys.recipients))).rejects.toBe(failure);
    for await (const _ of sealStream(failing(), keys.recipients)) break;
    expect(left).toBe(2);
  });
});

describe("derived keys", () => {
  it("are the same for everybody with the secret, and differ by cluster, epoch and secret", () => {
    const secret = new Uint8Array(32).fill(1);
    const base = deriveKeys({ clusterSecret: secret, cluster: "one" });
    expect(deriveKeys({ clusterSecret: secret, cluster: "one" }).recipients).toEqual(base.recipients);
    const others = [
      deriveKeys({ clusterSecret: secret, cluster: "two" }),
      deriveKeys({ clusterSecret: secret, cluster: "one", epoch: 2 }),
      deriveKeys({ clusterSecret: new Uint8Array(32).fill(2), cluster: "one" }),
      openMeshKeys({ cluster: "one" }),
    ];
    expect(new Set([base, ...others].map(({ recipients }) => recipients[0])).size).toBe(5);
    expect(base).toMatchObject({ level: "secret", role: "mesh", epoch: 1 });
    expect(openMeshKeys({ cluster: "one" })).toMatchObject({ level: "none", role: "open", epoch: 1 });
  });

  it("read every epoch of their own role only", async () => {
    const second = meshKeys(2);
    expect(second.identities("mesh", 1)).toEqual(identities);
    expect(second.identities("open", 1)).toEqual([]);
    expect(second.identities("mesh", 0)).toEqual([]);
    const sealed = await sealBytes(content(10), second.recipients);
    expect(await openBytes(sealed, keys.identities("mesh", 2))).toEqual(new Uint8Array(content(10)));
  });

  it("refuses a secret of another length and an impossible epoch", () => {
    expect(() => deriveKeys({ clusterSecret: new Uint8Array(31), cluster: "x" })).toThrow("clusterSecret");
    expect(() => deriveKeys({ clusterSecret: new Uint8Array(32), cluster: "x", epoch: 0 })).toThrow("epoch");
  });

  it("keep their value for ever", () => {
    const { recipients } = deriveKeys({ clusterSecret: new Uint8Array(32).fill(7), cluster: "demo" });
    expect(recipients).toEqual(["age1y3q54063c5pxcf3m47x8zr5mdmfktue5fpak93cvpt99x0dcm5us46l4j6"]);
  });
});

describe.skipIf(!hasAge)("the age command line", () => {
  let directory: string;
  let key: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "chorus-age-"));
    key = join(directory, "key.txt");
    writeFileSync(key, `# mesh, epoch 1\n${identities[0]}\n`);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("agrees on the recipient of a derived key", () => {
    expect(execFileSync("age-keygen", ["-y", key], { encoding: "utf8" }).trim()).toBe(keys.recipients[0]);
  });

  it.each([0, 1, 65_535, 65_536, 65_537, 1_048_576])(
    "opens what is sealed here, and the reverse: %i bytes",
    async (length) => {
      const bytes = length === 0 ? new Uint8Array() : content(length);
      const file = join(directory, `${length}.age`);
      writeFileSync(file, await sealBytes(bytes, keys.recipients));
      expect(
        Buffer.compare(execFileSync("age", ["-d", "-i", key, file], { maxBuffer: 1 << 24 }), bytes),
      ).toBe(0);
      execFileSync("age", ["-r", keys.recipients[0]!, "-o", file], { input: bytes });
      const sealed = readFileSync(file);
      expect(Buffer.compare(await openBytes(sealed, identities), bytes)).toBe(0);
    },
  );

  it("opens a stream that was sealed here", async () => {
    const bytes = content(3_000_000);
    const file = join(directory, "stream.age");
    writeFileSync(file, await collect(sealStream(inChunks(bytes, 77_777), keys.recipients)));
    expect(Buffer.compare(execFileSync("age", ["-d", "-i", key, file], { maxBuffer: 1 << 24 }), bytes)).toBe(
      0,
    );
  });
});
