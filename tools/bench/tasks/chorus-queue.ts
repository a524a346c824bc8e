import { join } from "node:path";
import { type Components, coordinator, sqliteOutbox, taskMachine } from "@chorus/coordinator";
import { election, sqliteVoteStore } from "@chorus/election";
import { cidOf, silentLogger, systemClock } from "@chorus/kernel";
import { electedLog, ledger, sqliteLogStore } from "@chorus/ledger";
import { type P2p, p2p } from "@chorus/p2p";
import { createSentinel } from "@chorus/shhh";
import { forever, type OnHeld, type Queue, type Setup } from "./queue.ts";

const CLUSTER = "bench";
const TOPICS = ["chorus/election/v1", "chorus/decisions"];
const signal = new AbortController().signal;
const [clock, logger] = [systemClock, silentLogger];

/**
 * One peer: mesh, election, ledger and coordinator as `@chorus/node` composes them, every file flushed. What a run
 * leaves behind (records, artifacts, this peer's own history) is not kept: the others keep nothing of the kind.
 */
export async function chorusQueue(setup: Setup, onHeld: OnHeld): Promise<Queue> {
  const mesh = await p2p(
    {},
    {
      cluster: CLUSTER,
      clusterSecret: new Uint8Array(32).fill(5),
      identityFile: join(setup.folder, "identity"),
      bootstrap: setup.servers,
      mdns: false,
      topics: TOPICS,
    },
  );
  let leads = (): boolean => false;
  const parts = openTasks(mesh, setup, onHeld).then((opened) => {
    leads = () => opened.elected.isAdmin();
    return opened;
  });
  // Told to whoever waits for it first.
  parts.catch(() => undefined);
  const finish = async (key: string): Promise<void> => {
    const { tasks } = await parts;
    const { taskId } = await tasks.submit(
      { goal: "Do nothing" },
      { principal: "bench", idempotencyKey: key, signal },
    );
    for await (const event of tasks.events(taskId, { signal })) if (event.type === "task-completed") return;
    throw new Error(`task ended as ${tasks.get(taskId)?.state}`);
  };
  return {
    address: mesh.addresses()[0] ?? "",
    finish,
    async ready() {
      const { elected } = await parts;
      for await (const admin of elected.changes({ signal })) if (admin !== undefined) break;
    },
    async hold(key) {
      const { tasks } = await parts;
      const task = { goal: "Hold on", labels: { hold: key } };
      await tasks.submit(task, { principal: "bench", idempotencyKey: key, signal });
    },
    async commit(key) {
      const { tasks } = await parts;
      const task = { goal: "Do nothing" };
      const { taskId } = await tasks.submit(task, { principal: "bench", idempotencyKey: key, signal });
      // Nothing happens to a task before it is in the ledger.
      for await (const _event of tasks.events(taskId, { signal })) return;
    },
    leads: () => leads(),
  };
}

async function openTasks(mesh: P2p, setup: Setup, onHeld: OnHeld) {
  const { streams, pubsub, signer } = mesh;
  const file = (name: string): string => join(setup.folder, name);
  const log = sqliteLogStore(file("ledger.db"));
  const store = sqliteVoteStore(file("votes.db"));
  const elected = await election(
    { streams, pubsub, signer, store, clock, random: Math.random, logger, log: electedLog(log) },
    {
      cluster: CLUSTER,
      role: setup.isObserver === true ? "observer" : "voter",
      expect: setup.copies,
    },
  );
  const machine = taskMachine({ cluster: CLUSTER });
  const entries = await ledger(
    {
      streams,
      leadership: elected,
      store: log,
      machine,
      admit: (command) => machine.admit(command),
      clock,
      logger,
    },
    { ackReplicas: 3, replicaWaitMs: 250 },
  );
  const tasks = await coordinator(
    {
      ...workParts(onHeld),
      ledger: entries,
      outbox: sqliteOutbox(file("outbox.db")),
      pubsub,
      streams,
      signer,
      clock,
      logger,
    },
    { cluster: CLUSTER, capacity: setup.capacity, capabilities: [] },
  );
  return { elected, tasks };
}

/** A run that does nothing, and what would keep its results. */
function workParts(
  onHeld: OnHeld,
): Pick<Components, "executor" | "redactor" | "records" | "eventLog" | "storage"> {
  return {
    executor: {
      async execute({ spec }, { signal: stop }) {
        if (spec.labels?.["hold"] !== undefined) {
          onHeld(spec.labels["hold"]);
          await forever(stop);
        }
        const isolation = { engine: "none", level: "none", missing: [] };
        return { outcome: "succeeded", steps: [], artifacts: [], isolation };
      },
    },
    redactor: createSentinel({ key: new Uint8Array(32), known: [] }),
    records: {
      async decide({ taskId, project, name }) {
        const bytes = new TextEncoder().encode(taskId);
        const cid = await cidOf(bytes, "raw");
        const lane = `${project}/${name}/agent/bench`;
        return { cid, address: `ucxl://${lane}/@v1`, bytes, signatures: bytes, head: { lane, seq: 1, cid } };
      },
    },
    eventLog: { append: async () => undefined },
    storage: {
      put: async (bytes, { codec }) => ({ cid: await cidOf(bytes, codec), replicas: 1, degraded: false }),
      get: async () => undefined,
      putHead: async () => undefined,
    },
  };
}
