import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HistoryRecord } from "../../check-history/record.ts";
import type { Random } from "../../sim/random.ts";
import { moment as now, type PeerRecord } from "../mesh/history.ts";
import { starved } from "../mesh/starvation.ts";
import type { Agent, Agents, Hit } from "./agents.ts";
import { type Acknowledged, Client, get, hasEnded, type Shown, type Wanted } from "./client.ts";
import type { Moment } from "./moments.ts";
import type { Tally } from "./tally.ts";
import type { World } from "./world/world.ts";

/** The parts of a round. */
export interface StageParts {
  readonly agents: Agents;
  /** Without it tasks have no effects. */
  readonly world?: World;
  readonly chance: Random;
  readonly tally: Tally;
  readonly write: (record: HistoryRecord) => void;
  readonly seed: number;
  /** How long a task's end is waited for; shorter where a planted defect keeps it away. @default 90 s */
  readonly endMs?: number;
}

/** How long anything may take, of the time in which the peers could run; and in all. */
const PATIENCE_MS = 90_000;
const LONGEST_MS = 600_000;
const POLL_MS = 100;
const QUIET_MS = 500;
const BACKOFF = { firstMs: 100, maxMs: 1_000 };
const MOMENT_MS = 60_000;

/** What a task of a scene does besides being one. */
export interface Work {
  readonly commands?: readonly { readonly run: string }[];
  /** `none`: acts upon nothing outside. */
  readonly effects?: "none";
}

/** A mesh in the hands of a scene: asks for tasks, kills at moments, waits for ends. */
export class Stage {
  readonly agents: Agents;
  readonly chance: Random;
  readonly write: StageParts["write"];
  readonly client: Client;
  readonly #world: World | undefined;
  readonly #tally: Tally;
  readonly #seed: number;
  readonly #endMs: number;
  readonly #tasks: string[] = [];
  #keys = 0;

  constructor({ agents, world, chance, tally, write, seed, endMs = PATIENCE_MS }: StageParts) {
    this.agents = agents;
    this.#world = world;
    this.chance = chance;
    this.write = write;
    this.#tally = tally;
    this.#seed = seed;
    this.#endMs = endMs;
    this.client = new Client("client", write);
  }

  /** All tasks that were acknowledged so far. */
  get tasks(): readonly string[] {
    return this.#tasks;
  }

  async pause(belowMs: number, leastMs = 0): Promise<void> {
    await sleep(leastMs + this.chance.below(belowMs));
  }

  others(than: readonly Agent[], from: readonly Agent[] = this.agents.awake): readonly Agent[] {
    return from.filter((agent) => !than.includes(agent));
  }

  /** A key that nobody has used. */
  key(): string {
    return `round-${this.#seed}-${++this.#keys}`;
  }

  /** What is asked for under a key: the same each time. */
  #wanted(key: string, { commands = [{ run: `echo ${key}` }], effects }: Work = {}): Wanted {
    // Whoever is killed or starved uses attempts up; running out of them is not what is looked at here.
    const spec = { goal: `chaos ${key}`, project: "chaos", attempts: 10, backoff: BACKOFF };
    if (this.#world === undefined || effects === "none") return { key, spec: { ...spec, commands } };
    const outside = this.#world.work(key);
    return {
      key,
      spec: { ...spec, commands: [...commands.slice(0, 30), ...outside.commands], effects: outside.effects },
      effects: outside.declared,
    };
  }

  /** One question to one peer. */
  async ask(agent: Agent, key: string, work?: Work): Promise<Acknowledged | undefined> {
    const answer = await this.client.submit(agent, this.#wanted(key, work));
    if (answer !== undefined && !this.#tasks.includes(answer.task)) this.#tasks.push(answer.task);
    return answer;
  }

  /** Asks until somebody answers, as clients do: the same key at the next peer. @returns the task */
  async insist(
    key: string,
    work: Work = {},
    first: Agent = this.chance.pick(this.agents.awake),
  ): Promise<string> {
    let task = (await this.ask(first, key, work))?.task;
    await this.until(`an answer to ${key}`, async () => {
      task ??= (await this.ask(this.chance.pick(this.agents.awake), key, work))?.task;
      return task !== undefined;
    });
    return task ?? "";
  }

  /** Waits for a peer to come to this point of its work, and counts whether it did. */
  async hit(
    moment: Moment,
    options: { readonly among?: readonly Agent[]; readonly task?: string } = {},
  ): Promise<Hit | undefined> {
    const hit = await this.agents.hit(moment, { ...options, withinMs: MOMENT_MS });
    this.#tally.count(moment, hit !== undefined);
    return hit;
  }

  /** Counts a moment that the scene itself has made. */
  made(moment: string): void {
    this.#tally.count(moment, true);
  }

  async kill(agent: Agent, at: string): Promise<void> {
    this.write({ kind: "done", at: now(), peer: agent.label, moment: at, action: "SIGKILL" });
    await this.agents.end(agent);
  }

  /** Who is admin in the eyes of most peers that can be asked. */
  async admin(among: readonly Agent[] = this.agents.awake): Promise<Agent> {
    let found: Agent | undefined;
    await this.until("an admin", async () => {
      const views = await Promise.all(
        among.map((agent) => get<{ admin: string | null }>(agent, "/v1/election")),
      );
      const [name] = views.flatMap((view) => (view?.admin == null ? [] : [view.admin]));
      const same = views.filter((view) => view?.admin === name).length;
      found = name === undefined || same * 2 <= among.length ? undefined : this.agents.byName(name);
      return found !== undefined;
    });
    if (found === undefined) throw new Error("there is no admin");
    return found;
  }

  /** Everybody runs again, and is connected with everybody. */
  async whole(): Promise<void> {
    for (const agent of this.agents.all) if (agent.frozen) this.agents.freeze(agent, false);
    const dead = this.agents.all.filter(({ process }) => process === undefined);
    await Promise.all(dead.map((agent) => this.agents.start(agent)));
    const { all } = this.agents;
    await this.until("a whole mesh", async () => {
      const views = await Promise.all(
        all.map((agent) => get<{ items: { peer: string }[] }>(agent, "/v1/peers")),
      );
      return views.every((view) => new Set(view?.items.map(({ peer }) => peer)).size >= all.length - 1);
    });
    await this.admin();
  }

  /** Waits until these tasks have ended at all these peers, with the same number of events. */
  async ended(
    tasks: readonly string[] = this.#tasks,
    among: readonly Agent[] = this.agents.awake,
  ): Promise<void> {
    for (const task of tasks)
      await this.until(
        `the end of task ${task.slice(0, 8)}`,
        async () => {
          const views = await Promise.all(among.map((agent) => this.client.show(agent, task)));
          return views.every(
            (view) => view !== undefined && hasEnded(view) && view.lastSeq === views[0]?.lastSeq,
          );
        },
        this.#endMs,
      );
  }

  /** Waits until nothing is told any more anywhere, of all tasks. */
  async quiet(): Promise<void> {
    let before = "";
    await this.until("quiet", async () => {
      const views = await Promise.all(
        this.agents.awake.flatMap((agent) => this.#tasks.map((task) => this.client.show(agent, task))),
      );
      const now = views.map((view) => view?.lastSeq).join();
      const isSame = now === before;
      before = now;
      await sleep(QUIET_MS);
      return isSame;
    });
    await this.ended();
  }

  /** The peer that holds a task's lease, in the eyes of one that can be asked. */
  async holder(
    task: string,
    asked: Agent,
  ): Promise<{ agent: Agent; lease: NonNullable<Shown["lease"]> } | undefined> {
    const lease = (await this.client.show(asked, task))?.lease;
    const agent = lease === undefined ? undefined : this.agents.byName(lease.holder);
    return lease === undefined || agent === undefined ? undefined : { agent, lease };
  }

  /**
   * Waits until something holds. Time in which the machine kept a peer from running does not count.
   * @throws when it does not in time
   */
  async until(what: string, holds: () => Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
    const from = now();
    while (!(await holds())) {
      const waited = now() - from;
      if (
        waited > Math.max(LONGEST_MS, 3 * patienceMs) ||
        (waited > patienceMs && waited - this.#starved(from) > patienceMs)
      )
        throw new Error(`${what} did not come in ${Math.round(waited / 1000)} s`);
      await sleep(POLL_MS);
    }
  }

  #starved(from: number): number {
    const peers = new Map<string, readonly PeerRecord[]>(
      this.agents.all.map(({ label, folder }) => [label, lateOf(join(folder, "history.jsonl"))]),
    );
    return starved(peers, [...peers.keys()], { from, to: now() });
  }
}

function lateOf(file: string): readonly PeerRecord[] {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines
    .filter((line) => line.startsWith('{"kind":"late"') && line.endsWith("}"))
    .map((line) => {
      const record: PeerRecord = JSON.parse(line);
      return record;
    });
}
