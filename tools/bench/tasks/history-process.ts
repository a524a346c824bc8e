import { randomUUID } from "node:crypto";
import { parseTask, taskMachine } from "@chorus/coordinator";
import { type Canonical, cidOf, createSigner, sealEnvelope, silentLogger, systemClock } from "@chorus/kernel";
import { ledger, type Leadership, sqliteLogStore } from "@chorus/ledger";

// One voter's ledger and nothing else. Arguments: its file, and how many finished tasks to add.
const CLUSTER = "bench";
const LANES = 256;
const [file = "", text = "0"] = process.argv.slice(2);
const count = Number(text);

/** What the parent is told. */
export interface Opened {
  readonly restartMs: number;
  readonly residentBytes: number;
  readonly tasks: number;
}

const signer = await createSigner(new Uint8Array(32).fill(7));
const admin = { peer: signer.peer, term: 1 };
const leadership: Leadership = {
  admin: () => admin,
  isAdmin: () => true,
  async *changes() {
    yield admin;
  },
};
const from = performance.now();
const store = sqliteLogStore(file);
const log = await ledger(
  {
    streams: {
      peers: () => [],
      async *changes() {},
      handle: () => ({ [Symbol.dispose]: () => undefined }),
      open: () => Promise.reject(new Error("nobody is there")),
    },
    leadership,
    store,
    machine: taskMachine({ cluster: CLUSTER }),
    clock: systemClock,
    logger: silentLogger,
  },
  { ackReplicas: 1 },
);
const restartMs = performance.now() - from;
const cid = await cidOf(new Uint8Array(1), "raw");
const result = {
  outcome: "succeeded",
  decision: { address: "ucxl://default/bench/agent/bench/@v1", cid, signatures: cid },
  manifest: cid,
  artifacts: [],
  artifactCount: 0,
  quarantined: [],
  quarantinedCount: 0,
  redactions: 0,
  replicas: 1,
  degraded: false,
};
const spec: Canonical = JSON.parse(JSON.stringify(parseTask({ goal: "Do nothing" })));
let begun = 0;
await Promise.all(
  Array.from({ length: LANES }, async () => {
    while (begun++ < count) await addOne();
  }),
);
globalThis.gc?.();
const opened: Opened = {
  restartMs,
  residentBytes: process.memoryUsage().rss,
  tasks: log.state().tasks.size,
};
process.send?.(opened);
await new Promise((resolve) => process.once("disconnect", resolve));
await log[Symbol.asyncDispose]();
store[Symbol.dispose]();

async function addOne(): Promise<void> {
  const submitted = await order("task-submit", { principal: "bench", key: randomUUID(), spec });
  if (submitted.result.status !== "applied") throw new Error("a submission was refused");
  const task = submitted.result.taskId;
  const claim = { task, capabilities: [], ttlMs: 5000, session: "bench" };
  const { term, index } = await order("task-claim", claim);
  const { result: answer } = await order("task-complete", { task, token: { term, index }, result });
  if (answer.status !== "applied" || answer.state !== "completed") throw new Error("a task did not complete");
}

async function order(type: string, body: Parameters<typeof sealEnvelope>[0]["body"]) {
  const command = await sealEnvelope({ type, cluster: CLUSTER, body }, signer, Date.now());
  return log.propose(command);
}
