import { createServer } from "node:net";

/** Ports of loopback that were free a moment ago: for what keeps its port when it is started again. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      if (typeof address !== "object" || address === null) throw new Error("no port was given");
      return address.port;
    }),
  );
}
