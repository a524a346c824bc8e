import { Queue as Jobs, Worker } from "bullmq";
import { Completions, forever, type OnHeld, type Queue, type Setup } from "./queue.ts";

/** A dead worker is noticed as soon as with the others' tuned settings: a lease of 5 s. */
const TUNED = { lockDuration: 5000, stalledInterval: 2500 };

/** A job is complete when its worker says so, which it does after Redis has answered. */
export async function bullmqQueue(setup: Setup, onHeld: OnHeld): Promise<Queue> {
  // BullMQ's own clients wait for ever for a server that is gone; here it is only gone at the end.
  const connection = { host: "127.0.0.1", port: Number(setup.servers[0]), maxRetriesPerRequest: null };
  const completions = new Completions();
  const jobs = new Jobs("bench", { connection, defaultJobOptions: { removeOnComplete: true } });
  const worker = new Worker(
    "bench",
    async (job) => {
      if (job.name !== "hold") return;
      onHeld(job.id ?? "");
      await forever();
    },
    { connection, concurrency: setup.capacity, ...(setup.isTuned === true ? TUNED : {}) },
  );
  jobs.on("error", () => undefined);
  worker.on("error", () => undefined);
  worker.on("completed", ({ id = "" }) => completions.settle(id));
  await worker.waitUntilReady();
  return {
    ready: async () => undefined,
    async finish(key) {
      await jobs.add("nothing", {}, { jobId: key });
      await completions.of(key);
    },
    async hold(key) {
      await jobs.add("hold", {}, { jobId: key });
    },
  };
}
