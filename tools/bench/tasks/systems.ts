import { balancer } from "./balancer.ts";
import { Fleet } from "./fleet.ts";
import { nats, natsMissing } from "./nats.ts";
import { postgres, postgresMissing } from "./postgres.ts";
import type { Kind } from "./queue.ts";
import { redis, redisMissing } from "./redis.ts";
import { restate, restateMissing } from "./restate.ts";
import type { Servers } from "./server.ts";

/** A system that runs durable tasks, with the settings that it is measured with. */
export interface System {
  /** Says what is flushed and how many copies there are. */
  readonly name: string;
  /** Which package would bring it, undefined when it is here. */
  missing(): string | undefined;
  start(plan: Plan): Promise<Running>;
}

/** How a system is used. */
interface Plan {
  /** Processes that submit and work. */
  readonly processes: number;
  /** Tasks that each runs at once. */
  readonly capacity: number;
}

/** A system at work. */
export interface Running extends AsyncDisposable {
  readonly fleet: Fleet;
  /** Servers first, then the processes that use them. */
  readonly pids: () => readonly number[];
}

/** @returns the system at work, or why it is not, for people */
export async function started(system: System, plan: Plan): Promise<Running | string> {
  const missing = system.missing();
  if (missing !== undefined) return `not here; brought by ${missing}`;
  try {
    return await system.start(plan);
  } catch (error) {
    return `did not start: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A mesh of ours of any size. */
export function chorusSized(size: { readonly voters: number; readonly workers: number }): System {
  const { voters, workers } = size;
  return {
    name: `${voters} ${voters === 1 ? "voter" : "voters"}, ${voters + workers} workers`,
    missing: nothingMissing,
    start: ({ capacity }) => chorusOf({ voters, workers, capacity }),
  };
}

const nothingMissing = (): undefined => undefined;

/** Three voters, each in a process of its own. */
export const chorus: System = {
  name: "CHORUS (3 voters, SQLite synchronous=FULL)",
  missing: nothingMissing,
  start: ({ capacity }) => chorusOf({ voters: 3, workers: 0, capacity }),
};

/** As many copies as the others keep. */
export const chorusAlone: System = {
  name: "CHORUS (1 voter, SQLite synchronous=FULL, 1 copy)",
  missing: nothingMissing,
  start: ({ capacity }) => chorusOf({ voters: 1, workers: 0, capacity }),
};

/** @param plan.workers further peers, which have no vote */
async function chorusOf(plan: { voters: number; workers: number; capacity: number }): Promise<Running> {
  const { voters, workers, capacity } = plan;
  const fleet = await Fleet.start({
    kind: "chorus",
    copies: voters,
    processes: voters + workers,
    observersFrom: voters,
    capacity,
  });
  return running(fleet);
}

/** What the goals of the promise name. */
export const graphile: System = {
  name: "graphile-worker + PostgreSQL (fsync and synchronous_commit on, 1 copy)",
  missing: postgresMissing,
  start: (plan) => served("graphile", postgres, plan),
};

export const graphileTuned: System = {
  name: "graphile-worker with local queue and batches + PostgreSQL (the same, 1 copy)",
  missing: postgresMissing,
  start: (plan) => served("graphile", postgres, { ...plan, isTuned: true }),
};

export const restateOne: System = {
  name: "Restate (its defaults: log flushed, 1 copy)",
  missing: restateMissing,
  start: startRestate,
};

/** For orientation. */
export const bullmq: System = {
  name: "BullMQ + Redis (appendfsync always, 1 copy)",
  missing: redisMissing,
  start: (plan) => served("bullmq", redis, plan),
};

export const bullmqTuned: System = {
  name: "BullMQ (lockDuration 5 s, stalledInterval 2.5 s) + Redis",
  missing: redisMissing,
  start: (plan) => served("bullmq", redis, { ...plan, isTuned: true }),
};

export const jetstream: System = {
  name: "NATS JetStream (3 copies, files flushed every 2 minutes)",
  missing: natsMissing,
  start: (plan) => served("jetstream", () => nats(3), plan),
};

export const jetstreamTuned: System = {
  name: "NATS JetStream (ack_wait 5 s)",
  missing: natsMissing,
  start: (plan) => served("jetstream", () => nats(3), { ...plan, isTuned: true }),
};

async function served(
  kind: Kind,
  serve: () => Promise<Servers>,
  plan: Plan & { readonly isTuned?: boolean },
): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(await serve());
  const fleet = stack.use(await Fleet.start({ kind, copies: 1, servers: servers.addresses, ...plan }));
  return running(fleet, servers, stack.move());
}

/** The server calls the workers, so it is told where they are: one address for all of them where there are several. */
async function startRestate(plan: Plan): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(await restate());
  const fleet = stack.use(
    await Fleet.start({ kind: "restate", copies: 1, servers: servers.addresses, ...plan }),
  );
  const ports = (): readonly number[] => fleet.addresses.map(Number);
  const port = plan.processes === 1 ? ports()[0] : stack.use(await balancer(() => ports())).port;
  const response = await fetch(`${servers.addresses[1]}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
  });
  if (!response.ok) throw new Error(`Restate refused the workers: ${await response.text()}`);
  return running(fleet, servers, stack.move());
}

function running(fleet: Fleet, servers?: Servers, stack?: AsyncDisposableStack): Running {
  return {
    fleet,
    pids: () => [...(servers?.pids ?? []), ...fleet.children.map(({ pid }) => pid)],
    [Symbol.asyncDispose]: () => (stack ?? fleet)[Symbol.asyncDispose](),
  };
}
