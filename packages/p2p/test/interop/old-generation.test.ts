import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Envelope, openEnvelope, sealEnvelope } from "@chorus/kernel";
import { expect, it } from "vitest";
import { loadIdentity } from "../../src/identity.ts";
import { p2p } from "../../src/index.ts";
import { lab, met, TOPIC } from "../fixtures/mesh.ts";
import { addressOf } from "../fixtures/stranger.ts";

it("exchanges gossip with a peer of libp2p 2 and gossipsub 14, both ways", async () => {
  await using at = await lab();
  const { cluster, folder } = at;
  const node = await p2p(
    {},
    { cluster, identityFile: join(folder, "ours"), mdns: false, topics: [TOPIC], useRelays: 0 },
  );
  at.defer(async () => node[Symbol.asyncDispose]());
  const { signer } = await loadIdentity(join(folder, "theirs"));
  const key = (await readFile(join(folder, "theirs"))).toString("base64");
  const script = join(import.meta.dirname, "../fixtures/old-peer.ts");
  const child = spawn(process.execPath, [script, key, addressOf(node).toString(), TOPIC], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  at.defer(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await met(node, signer.peer);
  expect(node.connections().map(({ peer, encryption }) => [peer, encryption])).toEqual([
    [signer.peer, "noise"],
  ]);
  const stop = new AbortController();
  const theirs = first(node.pubsub.subscribe(TOPIC, stop));
  const ours = first(createInterface(child.stdout));
  const said = Promise.all([theirs, ours]);
  // Gossip is best effort: each says it until it is heard.
  for (let n = 0; !(await settled(said)); n++) {
    await node.pubsub.publish(TOPIC, "greeting", { n });
    const sealed = await sealEnvelope({ type: "answer", cluster, body: { n } }, signer, Date.now());
    child.stdin.write(`${Buffer.from(sealed).toString("base64")}\n`);
  }
  const [heard, line] = await said;
  stop.abort();
  expect(heard).toMatchObject<Partial<Envelope>>({ from: signer.peer, cluster, type: "answer" });
  const opened = await openEnvelope(Buffer.from(line, "base64"), cluster);
  expect(opened).toMatchObject<Partial<Envelope>>({ from: node.signer.peer, cluster, type: "greeting" });
});

async function first<T>(items: AsyncIterable<T>): Promise<T> {
  for await (const item of items) return item;
  throw new Error("ended without a message");
}

/** Waits a little, and says whether it was enough. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), 50);
  });
  return Promise.race([promise.then(() => true), later]);
}
