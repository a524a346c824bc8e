import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifySignature } from "@chorus/kernel";
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadIdentity } from "../src/identity.ts";
import { toPeerId } from "../src/peer-ids.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chorus-identity-"));
});
afterEach(async () => rm(folder, { recursive: true }));

describe("the identity file", () => {
  it("is made once, readable by its owner only, and used from then on", async () => {
    const file = join(folder, "deep/er/key");
    const first = await loadIdentity(file);
    const again = await loadIdentity(file);
    expect(again.signer.peer).toBe(first.signer.peer);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "deep"))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, "deep/er"))).toEqual(["key"]);
  });

  it("gives libp2p and our signatures one and the same key", async () => {
    const { privateKey, signer } = await loadIdentity(join(folder, "key"));
    expect(toPeerId(peerIdFromPrivateKey(privateKey))).toBe(signer.peer);
    const bytes = Uint8Array.of(1, 2, 3);
    const signature = await signer.sign("test", bytes);
    expect(await verifySignature({ peer: signer.peer, domain: "test", bytes, signature })).toBe(true);
    const separated = Uint8Array.of(...new TextEncoder().encode("test\0"), ...bytes);
    expect(privateKey.publicKey.verify(separated, signature)).toBe(true);
  });

  it("is the same for processes that start at once", async () => {
    const file = join(folder, "key");
    const all = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(file)));
    expect(new Set(all.map(({ signer }) => signer.peer)).size).toBe(1);
    expect(await readdir(folder)).toEqual(["key"]);
  });

  it.each(["0640", "0604", "0660", "0755"])("is refused with mode %s, and left alone", async (mode) => {
    const file = join(folder, "key");
    await loadIdentity(file);
    const before = await readFile(file);
    await chmod(file, Number.parseInt(mode, 8));
    await expect(loadIdentity(file)).rejects.toMatchObject({
      code: "p2p/identity-exposed",
      message: expect.stringContaining(file),
      detail: { mode },
    });
    expect(await readFile(file)).toEqual(before);
  });

  it("is refused when it is not an Ed25519 key", async () => {
    const file = join(folder, "key");
    for (const content of [
      "not a key",
      new Uint8Array(),
      new Uint8Array(5000),
      privateKeyToProtobuf(await generateKeyPair("secp256k1")),
    ]) {
      await writeFile(file, content, { mode: 0o600 });
      await expect(loadIdentity(file)).rejects.toMatchObject({ code: "p2p/identity-unreadable" });
    }
  });

  it("is refused when it is a folder or cannot be reached", async () => {
    await expect(loadIdentity(folder)).rejects.toMatchObject({ code: "p2p/identity-unreadable" });
    await symlink(join(folder, "loop"), join(folder, "loop"));
    const looped = loadIdentity(join(folder, "loop"));
    await expect(looped).rejects.toMatchObject({ code: "p2p/identity-unreadable" });
  });

  it("cannot be made where nothing can be written", async () => {
    await writeFile(join(folder, "file"), "");
    for (const place of [join(folder, "file/key"), "/proc/chorus/key"])
      await expect(loadIdentity(place)).rejects.toMatchObject({
        code: "p2p/identity-unwritable",
        message: expect.stringContaining(place),
      });
  });
});
