import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Brings connections to the first port that takes them, as a service's address does in front of its workers. */
export interface Balancer extends AsyncDisposable {
  readonly port: number;
}

/** @param ports asked anew for each connection, the most wanted first */
export async function balancer(ports: () => readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.once("close", () => open.delete(client));
    client.on("error", () => client.destroy());
    void bring(client, ports());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const client of open) client.destroy();
      await closed;
    },
  };
}

async function bring(client: Socket, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const worker = connect(port, "127.0.0.1");
    try {
      await once(worker, "connect");
    } catch {
      continue;
    }
    // A worker that dies takes its connections along, and the other way round.
    worker.once("close", () => client.destroy());
    client.once("close", () => worker.destroy());
    worker.on("error", () => client.destroy());
    client.pipe(worker).pipe(client);
    return;
  }
  client.destroy();
}
