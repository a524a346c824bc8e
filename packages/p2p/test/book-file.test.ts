import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, encodeCanonical, type PeerId } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { type Acquaintance, bookFile, encodeBook, parseBook } from "../src/book-file.ts";
import { recordingLogger } from "./fixtures/mesh.ts";

const peers = await Promise.all(
  Array.from({ length: 300 }, async (_, n) => {
    const { peer } = await createSigner(new Uint8Array(32).fill(n % 256).fill(n >> 8, 0, 1));
    return peer;
  }),
);
const [alice, bob] = peers as [PeerId, PeerId];
const member = (peer: PeerId, seenAt = 1): Acquaintance => ({
  peer,
  addresses: ["/ip4/127.0.0.1/tcp/4001"],
  seenAt,
});

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), "chorus-book-"));
  const file = join(folder, "key.peers");
  const logger = recordingLogger();
  return {
    folder,
    file,
    logger,
    book: bookFile(file, "test", logger),
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }),
  };
}

describe("the address book on disk", () => {
  it("keeps members with mode 0600, and leaves nothing else behind", async () => {
    await using at = await setup();
    expect(await at.book.load()).toEqual([]);
    await at.book.save([member(alice)]);
    await at.book.save([member(alice), member(bob)]);
    expect(await at.book.load()).toEqual([member(alice), member(bob)]);
    expect((await stat(at.file)).mode & 0o777).toBe(0o600);
    expect(await readdir(at.folder)).toEqual(["key.peers"]);
    expect(at.logger.lines).toEqual([]);
  });

  it("keeps the 256 members that were seen last, with eight addresses each", () => {
    const addresses = Array.from({ length: 20 }, (_, n) => `/ip4/127.0.0.1/tcp/${n + 1}`);
    const many = peers.map((peer, n) => ({ peer, addresses, seenAt: n }));
    const kept = parseBook(encodeBook(many, "test"), "test");
    expect(kept.map(({ seenAt }) => seenAt)).toEqual(Array.from({ length: 256 }, (_, n) => 299 - n));
    expect(kept[0]?.addresses).toEqual(addresses.slice(0, 8));
  });

  it("does not use the members of another mesh", async () => {
    await using at = await setup();
    await bookFile(at.file, "other", at.logger).save([member(alice)]);
    expect(await at.book.load()).toEqual([]);
  });

  it("goes on without what it cannot write, and says so once", async () => {
    const logger = recordingLogger();
    const book = bookFile("/proc/nowhere/key.peers", "test", logger);
    await book.save([member(alice)]);
    await book.save([member(alice)]);
    expect(logger.lines.map(({ message }) => message)).toEqual(["the address book cannot be written"]);
  });

  it("leaves no half-written book behind when the last step is refused", async () => {
    await using at = await setup();
    await mkdir(at.file);
    await at.book.save([member(alice)]);
    expect(await readdir(at.folder)).toEqual(["key.peers"]);
    expect(at.logger.lines.map(({ message }) => message)).toEqual(["the address book cannot be written"]);
  });

  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["half a book", encodeBook([member(alice)], "test").slice(0, 40)],
    ["another format", encodeCanonical({ format: 2, cluster: "test", members: [] })],
    ["no members", encodeCanonical({ format: 1, cluster: "test" })],
    ["a list", encodeCanonical([1])],
    ["a malformed peer", encodeCanonical({ format: 1, cluster: "test", members: [["nobody", [], 1]] })],
    ["a malformed address", encodeCanonical({ format: 1, cluster: "test", members: [[alice, ["x"], 1]] })],
    ["a malformed time", encodeCanonical({ format: 1, cluster: "test", members: [[alice, [], "now"]] })],
    [
      "too many members",
      encodeCanonical({
        format: 1,
        cluster: "test",
        members: Array.from({ length: 257 }, () => [alice, [], 1]),
      }),
    ],
    ["too many bytes", new Uint8Array(300_000)],
  ])("begins anew after %s, and says so", async (_, bytes) => {
    await using at = await setup();
    await writeFile(at.file, bytes);
    expect(await at.book.load()).toEqual([]);
    expect(at.logger.lines.map(({ message }) => message)).toEqual([
      "the address book cannot be used, a new one begins",
    ]);
    await at.book.save([member(alice)]);
    expect(await at.book.load()).toEqual([member(alice)]);
  });
});
