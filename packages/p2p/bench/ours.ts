import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { p2p } from "../src/index.ts";
import type { Contender } from "./contender.ts";

const TOPIC = "chorus/bench/v1";
const SECRET = new Uint8Array(32).fill(9);
let folder: string | undefined;
let started = 0;

/** A node of a closed mesh, as an agent has it. */
export async function startOurs(bootstrap: readonly string[]): Promise<Contender> {
  folder ??= mkdtempSync(join(tmpdir(), "bench-mesh-"));
  const node = await p2p(
    {},
    {
      cluster: "bench",
      clusterSecret: SECRET,
      identityFile: join(folder, String(++started), "identity"),
      bootstrap,
      mdns: false,
      topics: [TOPIC],
    },
  );
  return {
    address: node.addresses()[0] ?? "",
    peers: () => node.streams.peers().length,
    publish: (data) => node.pubsub.publish(TOPIC, "bench", data),
    onMessage: (handle) => void listen(handle),
  };

  async function listen(handle: (data: Uint8Array) => void): Promise<void> {
    const { signal } = new AbortController();
    for await (const { body } of node.pubsub.subscribe(TOPIC, { signal }))
      if (body instanceof Uint8Array) handle(body);
  }
}
