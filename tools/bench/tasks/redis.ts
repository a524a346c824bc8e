import { Redis } from "ioredis";
import { freePorts } from "../../free-ports.ts";
import { eventually, programOf, type Servers, ServerStack } from "./server.ts";

/** Why there is no Redis here, undefined when there is. */
export function redisMissing(): string | undefined {
  return programOf("redis-server") === undefined ? "apt: redis-server" : undefined;
}

/** One Redis that flushes its journal before it answers. */
export async function redis(): Promise<Servers> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(new ServerStack());
  const [port = 0] = await freePorts(1);
  const journal = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
  servers.spawn("redis-server", [
    "--bind",
    "127.0.0.1",
    "--port",
    `${port}`,
    "--dir",
    servers.folder,
    ...journal,
  ]);
  await eventually(async () => {
    const client = new Redis(port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.ping();
    } finally {
      client.disconnect();
    }
  });
  const kept = stack.move();
  return {
    addresses: [`${port}`],
    pids: servers.pids,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
