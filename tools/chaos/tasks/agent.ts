// One whole agent as a process of the harness: what packages/node composes, with a probe at its seams. The one argument
// is an AgentStart as JSON. It ends with its standard input or its channel, and in order on SIGTERM.
import { appendFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { openProbe } from "./probe.ts";
import { putSeams } from "./seam/hooks.ts";
import type { AgentStart } from "./start.ts";

/** How often a peer looks at the clock, and what counts as having been kept from running. */
const LOOK_MS = 20;
const LATE_MS = 100;

const start: AgentStart = JSON.parse(process.argv[2] ?? "{}");
process.stdin.on("end", () => process.exit(1)).resume();
process.once("disconnect", () => process.exit(1));
process.umask(0o077);
putSeams();
const probe = openProbe(start);
probe.write({ kind: "life", at: probe.at(), peer: start.label, life: start.life });
lookForEver();

const { configuration, node } = await import("@chorus/node");
const peer = await node(configuration(start.env), {
  sink: { write: (line) => appendFileSync(start.log, line) },
});
process.once("SIGTERM", () => void peer[Symbol.asyncDispose]().then(() => process.exit(0)));
const api = new URL(peer.url);
await relay(start.socket, Number(api.port));
probe.tell({ report: "up", peer: peer.peer, host: api.host });

/** The API listens on the loopback of this process's network namespace; a file can be reached from anywhere. */
async function relay(path: string, port: number): Promise<void> {
  rmSync(path, { force: true });
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

/** What keeps a peer from running is no fault of its own; bounds leave it out. */
function lookForEver(): void {
  let last = probe.at();
  let used = process.cpuUsage();
  setInterval(() => {
    const to = probe.at();
    if (to - last > LATE_MS) {
      const { user, system } = process.cpuUsage(used);
      probe.write({ kind: "late", from: last, to, busyMs: (user + system) / 1000 });
    }
    last = to;
    used = process.cpuUsage();
  }, LOOK_MS);
}
