import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Place } from "../mesh/places.ts";
import { makeIdentity } from "./identity.ts";
import type { Moment, Order, Report } from "./moments.ts";
import type { Mutant } from "./mutants.ts";
import type { AgentStart } from "./start.ts";

/** What a mesh of agents is made from. */
export interface AgentsOptions {
  readonly place: Place;
  /** Must exist; belongs to the caller. */
  readonly folder: string;
  readonly agents: number;
  readonly runs: AgentStart["runs"];
  readonly mutants: readonly Mutant[];
  /** More environment for every agent. */
  readonly env: Readonly<Record<string, string>>;
}

/** One agent on its disk, over all its lives. */
export interface Agent {
  readonly number: number;
  readonly label: string;
  readonly folder: string;
  readonly token: string;
  readonly name: string;
  readonly socket: string;
  life: number;
  process: ChildProcess | undefined;
  /** What its API wants to be called; known once it is up. */
  host: string;
  frozen: boolean;
  /** Was told to hand over and go. */
  leaving: boolean;
}

/** A peer that waits where it was told to. */
export interface Hit {
  readonly agent: Agent;
  readonly moment: Moment;
  readonly task: string | undefined;
}

/** Bootstrap peers of everybody; the others are introduced by them. */
const BOOTSTRAP = 2;
const START_MS = 240_000;
const MAIN = fileURLToPath(new URL("agent.ts", import.meta.url));
const FLAGS = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];

/** Makes the keys, so that everybody can be told of everybody. Starts no process yet. */
export async function agents(options: AgentsOptions): Promise<Agents> {
  const list = await Promise.all(
    Array.from({ length: options.agents }, async (_, number): Promise<Agent> => {
      const folder = join(options.folder, `peer-${number}`);
      mkdirSync(folder, { mode: 0o700 });
      return {
        number,
        label: String(number),
        folder,
        token: randomBytes(32).toString("hex"),
        name: await makeIdentity(join(folder, "identity.key")),
        socket: join(folder, "http.sock"),
        life: 0,
        process: undefined,
        host: "",
        frozen: false,
        leaving: false,
      };
    }),
  );
  return new Agents(options, list);
}

/** The processes of one mesh. Disposing kills those that run. */
export class Agents implements AsyncDisposable {
  readonly all: readonly Agent[];
  readonly #options: AgentsOptions;
  readonly #secret = randomBytes(32).toString("hex");
  readonly #reports = new Set<(agent: Agent, report: Report) => void>();
  readonly #died: string[] = [];
  #arms = 0;

  constructor(options: AgentsOptions, all: readonly Agent[]) {
    this.#options = options;
    this.all = all;
  }

  get place(): Place {
    return this.#options.place;
  }

  /** Those that run, and are neither stopped nor about to go. */
  get awake(): readonly Agent[] {
    return this.all.filter(({ process, frozen, leaving }) => process !== undefined && !frozen && !leaving);
  }

  /** Processes that ended by themselves. */
  get died(): readonly string[] {
    return this.#died;
  }

  byName(name: string): Agent | undefined {
    return this.all.find((agent) => agent.name === name);
  }

  /** Starts an agent, on the disk that it had. Resolves when its API answers. */
  async start(agent: Agent): Promise<void> {
    agent.life++;
    const { before, group } = this.place.launch(agent.number);
    const [program = "", ...words]: readonly string[] = [
      ...before,
      process.execPath,
      ...FLAGS,
      MAIN,
      JSON.stringify(this.#startOf(agent)),
    ];
    const output = openSync(join(agent.folder, "output.txt"), "a");
    const child = spawn(program, words, {
      stdio: ["pipe", output, output, "ipc"],
      ...(group === undefined ? {} : { gid: group }),
    });
    closeSync(output);
    agent.process = child;
    agent.frozen = false;
    agent.leaving = false;
    child.on("message", (report: Report) => this.#reports.forEach((tell) => tell(agent, report)));
    const up = this.#report(agent, (report) => (report.report === "up" ? report : undefined));
    const ended = new Promise<never>((_, reject) => {
      const over = (how: string): void => {
        if (agent.process === child) {
          agent.process = undefined;
          if (!agent.leaving) this.#died.push(`peer ${agent.label} ended by itself: ${how}`);
        }
        reject(new Error(`peer ${agent.label} ended before it was up: ${how}`));
      };
      child.once("error", (error) => over(error.message));
      child.once("exit", (code, signal) => over(String(signal ?? code)));
    });
    agent.host = (await Promise.race([up, ended, timeout(`peer ${agent.label} did not start`)])).host;
  }

  /** Kills an agent; resolves when it is gone. */
  async end(agent: Agent): Promise<void> {
    const child = agent.process;
    if (child === undefined) return;
    agent.process = undefined;
    agent.frozen = false;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** SIGTERM: it hands over and goes, in its own time. */
  leave(agent: Agent): void {
    agent.leaving = true;
    agent.process?.kill("SIGTERM");
  }

  /** SIGSTOP and SIGCONT. */
  freeze(agent: Agent, frozen: boolean): void {
    agent.frozen = frozen;
    agent.process?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Waits until one of these peers is at this moment; there it stays until {@link release}. */
  async hit(
    moment: Moment,
    options: { readonly among?: readonly Agent[]; readonly task?: string; readonly withinMs: number },
  ): Promise<Hit | undefined> {
    const { among = this.awake, task, withinMs } = options;
    const id = ++this.#arms;
    const order: Order = { order: "arm", id, moment, ...(task === undefined ? {} : { task }) };
    const waiting = this.#report(undefined, (report, agent) =>
      report.report === "hit" && report.id === id ? { agent, moment, task: report.task } : undefined,
    );
    for (const agent of among) send(agent, order);
    const timer = Promise.withResolvers<undefined>();
    const late = setTimeout(() => timer.resolve(undefined), withinMs);
    const hit = await Promise.race([waiting, timer.promise]);
    clearTimeout(late);
    for (const agent of among) if (agent !== hit?.agent) send(agent, { order: "release" });
    return hit;
  }

  release(agent: Agent): void {
    send(agent, { order: "release" });
  }

  /** At once, without waiting; for a runner that is being ended itself. */
  kill(): void {
    for (const agent of this.all) {
      agent.process?.kill("SIGKILL");
      agent.process = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((agent) => this.end(agent)));
  }

  #report<T>(of: Agent | undefined, read: (report: Report, agent: Agent) => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const tell = (agent: Agent, report: Report): void => {
        const found = of === undefined || of === agent ? read(report, agent) : undefined;
        if (found === undefined) return;
        this.#reports.delete(tell);
        resolve(found);
      };
      this.#reports.add(tell);
    });
  }

  #startOf(agent: Agent): AgentStart {
    const { runs, mutants, agents: count, env } = this.#options;
    const others = this.all.slice(0, BOOTSTRAP).filter((other) => other !== agent);
    return {
      label: agent.label,
      life: agent.life,
      env: {
        ...env,
        CHORUS_NAME: `peer-${agent.number}`,
        CHORUS_CLUSTER: "chaos",
        CHORUS_CLUSTER_SECRET: this.#secret,
        CHORUS_DATA_DIR: agent.folder,
        CHORUS_LISTEN: this.place.address(agent.number),
        CHORUS_BOOTSTRAP: others
          .map((other) => `${this.place.address(other.number)}/p2p/${other.name}`)
          .join(","),
        CHORUS_BOOTSTRAP_EXPECT: String(count),
        CHORUS_HTTP_TOKEN: agent.token,
        CHORUS_MDNS: "false",
        CHORUS_SANDBOX_ENGINE: "embedded",
        CHORUS_DOCKER_HOST: "unix:///nonexistent/docker.sock",
      },
      history: join(agent.folder, "history.jsonl"),
      log: join(agent.folder, "log.jsonl"),
      socket: agent.socket,
      runs,
      mutants,
    };
  }
}

/** A process that has just ended cannot be told anything, and need not. */
function send(agent: Agent, order: Order): void {
  if (agent.process?.connected === true) agent.process.send(order, () => undefined);
}

async function timeout(what: string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, START_MS).unref());
  throw new Error(`${what} within ${START_MS / 1000} s`);
}
