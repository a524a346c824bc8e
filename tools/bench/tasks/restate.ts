import { freePorts } from "../../free-ports.ts";
import { eventually, programOf, type Servers, ServerStack } from "./server.ts";

/** Its licence (BUSL-1.1) and its 216 MB keep the server out of our own dependencies. */
export function restateMissing(): string | undefined {
  return programOf("restate-server") === undefined
    ? "npm: npm install --global @restatedev/restate-server@1.7.12"
    : undefined;
}

/** One Restate with its own defaults: every log is flushed before it is answered, one copy. */
export async function restate(): Promise<Servers> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(new ServerStack());
  const [ingress = 0, admin = 0, fabric = 0] = await freePorts(3);
  servers.spawn(
    "restate-server",
    ["--base-dir", servers.folder, "--bind-ip", "127.0.0.1", "--listen-mode", "tcp", "--no-logo"],
    {
      end: "SIGTERM",
      env: {
        RESTATE_INGRESS__BIND_PORT: `${ingress}`,
        RESTATE_ADMIN__BIND_PORT: `${admin}`,
        RESTATE_BIND_PORT: `${fabric}`,
        RESTATE_DISABLE_TELEMETRY: "true",
        DO_NOT_TRACK: "1",
      },
    },
  );
  const addresses = [`http://127.0.0.1:${ingress}`, `http://127.0.0.1:${admin}`];
  await eventually(async () => {
    for (const address of [`${addresses[0]}/restate/health`, `${addresses[1]}/health`])
      if (!(await fetch(address)).ok) throw new Error("not healthy yet");
  });
  const kept = stack.move();
  return {
    addresses,
    pids: servers.pids,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
