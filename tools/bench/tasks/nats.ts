import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePorts } from "../../free-ports.ts";
import { eventually, programOf, type Servers, ServerStack } from "./server.ts";

/** Where Debian keeps it. */
const PLACE = "/usr/sbin";

/** Why there is no NATS here, undefined when there is. */
export function natsMissing(): string | undefined {
  return programOf("nats-server", PLACE) === undefined ? "apt: nats-server" : undefined;
}

/** A cluster of so many servers. Debian's 2.9 flushes files every two minutes and cannot be told otherwise. */
export async function nats(count: number): Promise<Servers> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(new ServerStack());
  const program = programOf("nats-server", PLACE) ?? "nats-server";
  const ports = await freePorts(2 * count);
  const routes = ports.slice(count).map((port) => `nats://127.0.0.1:${port}`);
  for (let i = 0; i < count; i++) {
    const file = join(servers.folder, `${i}.conf`);
    const lines = [
      `server_name: s${i}`,
      `listen: "127.0.0.1:${ports[i]}"`,
      `jetstream { store_dir: "${servers.place(`${i}`)}" }`,
      `cluster { name: bench, listen: "127.0.0.1:${ports[count + i]}", routes: ${JSON.stringify(routes)} }`,
    ];
    writeFileSync(file, lines.join("\n"));
    servers.spawn(program, ["-c", file]);
  }
  const addresses = ports.slice(0, count).map((port) => `127.0.0.1:${port}`);
  await eventually(async () => {
    const connection = await connect({ servers: [...addresses], reconnect: false });
    try {
      const manager = await jetstreamManager(connection);
      await manager.streams.add({
        name: "bench",
        subjects: ["task.>"],
        retention: "workqueue",
        storage: "file",
        num_replicas: count,
      });
    } finally {
      await connection.close();
    }
  });
  const kept = stack.move();
  return {
    addresses,
    pids: servers.pids,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
