import { once } from "node:events";
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import pg from "pg";
import { freePorts } from "../../free-ports.ts";
import { eventually, programOf, type Servers, ServerStack } from "./server.ts";

const USER = "postgres";
const PLACES = ["/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin"];

/** Why there is no PostgreSQL here, undefined when there is. */
export function postgresMissing(): string | undefined {
  return programOf("postgres", ...PLACES) === undefined ? "apt: postgresql" : undefined;
}

/** One PostgreSQL with its own defaults: fsync on, synchronous_commit on. */
export async function postgres(): Promise<Servers> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(new ServerStack());
  // Beside its other programs, wherever a link on the path points.
  const program = realpathSync(programOf("postgres", ...PLACES) ?? "postgres");
  const [port = 0] = await freePorts(1);
  const data = join(servers.folder, "data");
  const settings = { user: USER, end: "SIGQUIT" as const };
  const made = servers.spawn(
    join(dirname(program), "initdb"),
    ["-D", data, "-U", "bench", "--auth=trust"],
    settings,
  );
  await once(made, "exit");
  const network = ["-p", `${port}`, "-c", "listen_addresses=127.0.0.1"];
  servers.spawn(
    program,
    ["-D", data, ...network, "-c", `unix_socket_directories=${servers.folder}`],
    settings,
  );
  const address = `postgres://bench@127.0.0.1:${port}/postgres`;
  await eventually(async () => {
    const client = new pg.Client(address);
    await client.connect();
    await client.end();
  });
  const kept = stack.move();
  return {
    addresses: [address],
    pids: servers.pids,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
