import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { content, meshKeys, setup, signerOf, text } from "./fixtures/mesh.ts";
import { dhtStorage } from "../src/index.ts";
import { silentLogger, systemClock } from "@chorus/kernel";

const decision = { codec: "raw", class: "decision" } as const;
const artifact = { codec: "raw", class: "artifact" } as const;

describe("the directory", () => {
  it("is refused below a file, and where nothing may be written", async () => {
    await using mesh = setup();
    const file = join(mesh.directory, "file");
    writeFileSync(file, "");
    for (const directory of [file, join(file, "below"), "/proc/chorus-storage"])
      await expect(mesh.join("a", { directory }), directory).rejects.toMatchObject({
        code: "dht-storage/directory",
        detail: { directory },
      });
  });

  it.skipIf(process.getuid?.() === 0)("is refused without the right to write", async () => {
    await using mesh = setup();
    const directory = join(mesh.directory, "locked");
    mkdirSync(directory);
    chmodSync(directory, 0o500);
    await expect(mesh.join("a", { directory })).rejects.toMatchObject({ code: "dht-storage/directory" });
  });

  it("belongs to one storage at a time", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    await expect(mesh.join("b", { directory: a.directory })).rejects.toMatchObject({
      code: "dht-storage/directory",
      detail: { problem: "is open in another process" },
    });
    await a.storage.put(text("still works"), decision);
  });

  it("belongs to one cluster, and is no place for something that is not ours", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    await a.stop();
    const signer = await signerOf("a");
    const { streams } = mesh.network.join(signer);
    const components = { streams, signer, keys: meshKeys(), clock: systemClock, logger: silentLogger };
    await expect(dhtStorage(components, { directory: a.directory, cluster: "other" })).rejects.toMatchObject({
      detail: { problem: "belongs to another cluster" },
    });
    const directory = join(mesh.directory, "strange");
    mkdirSync(directory);
    writeFileSync(join(directory, "storage.db"), content(10_000));
    await expect(mesh.join("b", { directory })).rejects.toMatchObject({
      detail: { problem: "does not hold a storage database" },
    });
  });

  it("is cleaned of what a killed process left: drafts, and files without a row", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const { cid } = await a.storage.put(content(100_000), artifact);
    await a.stop();
    const blocks = join(a.directory, "blocks");
    mkdirSync(join(blocks, "00"), { recursive: true });
    writeFileSync(join(blocks, "00", "0".repeat(64)), "orphan");
    writeFileSync(join(a.directory, "tmp", "draft"), "half");
    const again = await mesh.join("a");
    expect(readdirSync(join(a.directory, "tmp"))).toEqual([]);
    expect(existsSync(join(blocks, "00", "0".repeat(64)))).toBe(false);
    expect(await again.storage.get(cid)).toBeDefined();
  });

  it("that stops taking files gives a typed error, and what was there stays readable", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const kept = await a.storage.put(content(100_000, 1), artifact);
    // A file in the place of the folder for drafts fails every write, for root too.
    const drafts = join(a.directory, "tmp");
    (await import("node:fs")).rmSync(drafts, { recursive: true });
    writeFileSync(drafts, "");
    await expect(a.storage.put(content(100_000, 2), artifact)).rejects.toMatchObject({
      code: "dht-storage/io",
      retryable: true,
    });
    expect(await a.storage.get(kept.cid)).toBeDefined();
  });
});

describe("a disposed storage", () => {
  it("refuses every call, ends those under way, and can be disposed again", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const { cid } = await a.storage.put(content(3_000_000), artifact);
    const stream = (await a.storage.getStream(cid))!;
    const hanging = a.storage.putStream(
      (async function* () {
        yield text("begun");
        await new Promise(() => undefined);
      })(),
      artifact,
    );
    const ended = expect(hanging).rejects.toMatchObject({ code: "dht-storage/closed" });
    await a.storage[Symbol.asyncDispose]();
    await ended;
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({ code: "dht-storage/closed" });
    const calls = [
      () => a.storage.put(text("x"), decision),
      () => a.storage.get(cid),
      () => a.storage.has(cid),
      () => a.storage.head("a/b/c/d"),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "dht-storage/closed" });
    await a.storage[Symbol.asyncDispose]();
  });
});
