import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { Completions, forever, type OnHeld, type Queue, type Setup } from "./queue.ts";

/** As its documentation on performance advises: https://worker.graphile.org/docs/performance */
const TUNED = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

/**
 * graphile-worker tells nobody when a job's end is in the database: it deletes the job and goes on. So its own
 * statements are listened to: a job is complete when the one that removed it was answered.
 */
export async function graphileQueue(setup: Setup, onHeld: OnHeld): Promise<Queue> {
  const [connectionString = ""] = setup.servers;
  const completions = new Completions();
  const pgPool = new pg.Pool({ connectionString, max: 20 });
  pgPool.on("error", () => undefined);
  pgPool.on("connect", (client) => listen(client, (id) => completions.settle(id)));
  await runMigrations({ pgPool });
  const worker = await run({
    pgPool,
    noHandleSignals: true,
    concurrency: setup.capacity,
    logger: new Logger(() => () => undefined),
    ...(setup.isTuned === true ? { preset: { worker: TUNED } } : {}),
    taskList: {
      nothing: () => undefined,
      hold: async (key) => {
        onHeld(String(key));
        await forever();
      },
    },
  });
  return {
    ready: async () => undefined,
    async finish() {
      const { id } = await worker.addJob("nothing", {});
      await completions.of(id);
    },
    async hold(key) {
      await worker.addJob("hold", key);
    },
  };
}

/** Tells the ids of jobs whose removal the database has answered, which it does after its flush. */
function listen(client: pg.PoolClient, onRemoved: (id: string) => void): void {
  const ask = client.query.bind(client);
  Reflect.set(client, "query", async (...given: readonly unknown[]): Promise<unknown> => {
    const answer: unknown = await Reflect.apply(ask, client, given);
    for (const id of removedBy(given[0])) onRemoved(id);
    return answer;
  });
}

function removedBy(query: unknown): readonly string[] {
  if (typeof query !== "object" || query === null || !("text" in query) || !("values" in query)) return [];
  const { text, values } = query;
  if (typeof text !== "string" || !/^(with j as \(\s*)?delete from \S+_private_jobs/.test(text)) return [];
  const ids: unknown = Array.isArray(values) ? values[0] : [];
  return (Array.isArray(ids) ? ids : [ids]).map(String);
}
