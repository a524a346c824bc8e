import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type PeerClient, peerClient } from "./client.ts";

/** One agent process of the local mesh. */
export interface LocalPeer {
  readonly name: string;
  readonly client: PeerClient;
  readonly pid: number;
  /** Where its log is kept. */
  readonly log: string;
  readonly alive: boolean;
}

/** Three agents on this machine. Disposing it ends them. */
export interface LocalMesh extends AsyncDisposable {
  readonly peers: readonly LocalPeer[];
  /** Calls back, once a peer, when an agent ends that nobody asked to end. */
  onLoss(callback: (peer: LocalPeer, how: string) => void): void;
}

/** What the first line of a running agent says. */
interface Ready {
  readonly url: string;
  readonly addresses: readonly string[];
}

/** An agent did not come up; its log says why. */
class StartError extends Error {}

const STOP_MS = 5000;

/** One agent to start, with what its environment has besides the mesh's. */
export interface PeerPlan {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts agents that share a fresh cluster secret, kept in `directory`, and all vote; the others join through the first.
 * @param options.env more environment for every agent, for example the sandbox engine
 * @throws StartError when one does not come up; the others are ended
 */
export async function startMesh(options: {
  readonly directory: string;
  readonly first: PeerPlan;
  readonly others: readonly PeerPlan[];
  readonly env: Readonly<Record<string, string>>;
}): Promise<LocalMesh> {
  const { directory, first: firstPlan, others, env } = options;
  await using stack = new AsyncDisposableStack();
  const losses: ((peer: LocalPeer, how: string) => void)[] = [];
  const onEnd = (peer: LocalPeer, how: string): void => losses.forEach((tell) => tell(peer, how));
  const secret = join(directory, "cluster-secret");
  writeFileSync(secret, randomBytes(32).toString("hex"), { mode: 0o600 });
  const shared = {
    ...env,
    CHORUS_CLUSTER: "demo",
    CHORUS_CLUSTER_SECRET_FILE: secret,
    CHORUS_MDNS: "false",
    CHORUS_BOOTSTRAP_EXPECT: String(1 + others.length),
  };
  const open = async ({ name, env: own }: PeerPlan, bootstrap: readonly string[]): Promise<Started> => {
    const joined = bootstrap.length === 0 ? {} : { CHORUS_BOOTSTRAP: bootstrap.join(",") };
    return stack.use(await startAgent({ directory, name, env: { ...shared, ...own, ...joined }, onEnd }));
  };
  const first = await open(firstPlan, []);
  const rest = await Promise.all(others.map((plan) => open(plan, first.ready.addresses)));
  const owned = stack.move();
  return {
    peers: [first, ...rest].map(({ peer }) => peer),
    onLoss: (callback) => losses.push(callback),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Started extends AsyncDisposable {
  readonly peer: LocalPeer;
  readonly ready: Ready;
}

async function startAgent(options: {
  readonly directory: string;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onEnd: (peer: LocalPeer, how: string) => void;
}): Promise<Started> {
  const { directory, name, env, onEnd } = options;
  const home = join(directory, name);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const token = randomBytes(32).toString("hex");
  const log = join(directory, `${name}.log`);
  const child = spawnAgent({ ...env, CHORUS_NAME: name, CHORUS_DATA_DIR: home, CHORUS_HTTP_TOKEN: token });
  const ready = await firstWord(child, name, log);
  let state: "up" | "stopping" | "gone" = "up";
  const peer: LocalPeer = {
    name,
    client: peerClient({ name, url: ready.url, token }),
    pid: child.pid ?? 0,
    log,
    get alive() {
      return state === "up";
    },
  };
  child.once("exit", (code, signal) => {
    const wasUp = state === "up";
    state = "gone";
    if (wasUp) onEnd(peer, signal === null ? `exit code ${code}` : signal);
  });
  return {
    peer,
    ready,
    [Symbol.asyncDispose]: async () => {
      if (state === "up") state = "stopping";
      await end(child);
    },
  };
}

/** The agent ends with us, however we end: it watches the standard input that we hold. */
function spawnAgent(env: Readonly<Record<string, string>>): ChildProcess {
  const main = fileURLToPath(import.meta.resolve("@chorus/agent"));
  return spawn(process.execPath, [...process.execArgv, main], {
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own: Ctrl-C is for the launcher, which ends the agents in order.
    detached: true,
    env: { ...withoutChorus(process.env), ...env, CHORUS_ATTACHED: "true" },
  });
}

/** Reads the log until the agent says where it listens, and keeps all of it in a file. */
async function firstWord(child: ChildProcess, name: string, log: string): Promise<Ready> {
  const file = createWriteStream(log, { flags: "a" });
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  child.stderr?.on("data", (chunk: Buffer) => {
    said.push(chunk.toString());
    file.write(chunk);
  });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new StartError(`${name} cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      file.end();
      reject(
        new StartError(
          `${name} did not start (${signal ?? `exit code ${code}`}): ${said.join("").trim() || `see ${log}`}`,
        ),
      );
    });
    lines.on("line", (line) => {
      file.write(`${line}\n`);
      const ready = readReady(line);
      if (ready) resolve(ready);
    });
  });
}

function readReady(line: string): Ready | undefined {
  if (!line.includes('"peer is ready"')) return undefined;
  const entry = new Map<string, unknown>(Object.entries(JSON.parse(line)));
  const [url, addresses] = [entry.get("url"), entry.get("addresses")];
  if (typeof url !== "string" || !Array.isArray(addresses)) return undefined;
  return { url, addresses: addresses.map(String) };
}

/** Asks politely, then insists. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await gone;
  clearTimeout(insist);
}

/** The launcher decides the agents' whole configuration: what the user's shell has set is not meant for them. */
function withoutChorus(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("CHORUS_")));
}
