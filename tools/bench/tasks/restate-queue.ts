import { once } from "node:events";
import { createServer } from "node:http2";
import { type Context, createEndpointHandler, service } from "@restatedev/restate-sdk";
import { forever, type OnHeld, type Queue, type Setup } from "./queue.ts";

/** A task is an invocation; it is complete when the ingress answers, which it does from its log. */
export async function restateQueue(setup: Setup, onHeld: OnHeld): Promise<Queue> {
  const [ingress = ""] = setup.servers;
  const tasks = service({
    name: "tasks",
    handlers: {
      nothing: async (_context: Context, _input: string) => "done",
      hold: async (_context: Context, key: string) => {
        onHeld(key);
        await forever();
      },
    },
  });
  const server = createServer(createEndpointHandler({ services: [tasks], logger: () => undefined }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  return {
    address: `${port}`,
    ready: async () => undefined,
    async finish(key) {
      await call(`${ingress}/tasks/nothing`, key);
    },
    async hold(key) {
      await call(`${ingress}/tasks/hold/send`, key);
    },
  };
}

async function call(address: string, key: string): Promise<void> {
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(key),
  });
  if (!response.ok) throw new Error(`the ingress answered ${response.status}`);
  await response.arrayBuffer();
}
