import type { Kind, OpenQueue, Queue, Setup } from "./queue.ts";

/** What the parent asks; each is answered by a {@link Report} with the same number. */
export type Order = { readonly number: number } & (
  | { readonly do: "open"; readonly setup: Setup }
  | { readonly do: "ready" }
  | { readonly do: "load"; readonly lanes: number; readonly ms: number }
  | { readonly do: "hold" | "commit"; readonly key: string }
  | { readonly do: "look" }
);

/** The times of what was finished; `tookMs` lasts until the last one. */
export interface Loaded {
  readonly latencies: readonly number[];
  /** Tasks that came to another end than completion. */
  readonly failed: number;
  readonly tookMs: number;
}

/** What a process says of itself when it is looked at. */
export interface Look {
  readonly rssBytes: number;
  readonly leads: boolean;
}

/** What this process says. */
export type Report =
  | { readonly kind: "answer"; readonly number: number; readonly value: Answer }
  | { readonly kind: "held"; readonly key: string; readonly at: string };

type Answer = { readonly address?: string } | Loaded | Look;

// Loaded one at a time, so that no process carries the memory of another system's client.
const openers: Readonly<Record<Kind, () => Promise<OpenQueue>>> = {
  chorus: async () => (await import("./chorus-queue.ts")).chorusQueue,
  graphile: async () => (await import("./graphile-queue.ts")).graphileQueue,
  restate: async () => (await import("./restate-queue.ts")).restateQueue,
  bullmq: async () => (await import("./bullmq-queue.ts")).bullmqQueue,
  jetstream: async () => (await import("./jetstream-queue.ts")).jetstreamQueue,
};
let queue: Queue | undefined;
let tasks = 0;

process.once("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  obey(order).then(
    (value) => tell({ kind: "answer", number: order.number, value }),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function obey(order: Order): Promise<Answer> {
  if (order.do === "open") {
    const open = await openers[order.setup.kind]();
    queue = await open(order.setup, (key) =>
      tell({ kind: "held", key, at: String(process.hrtime.bigint()) }),
    );
    return queue.address === undefined ? {} : { address: queue.address };
  }
  if (queue === undefined) throw new Error("not opened yet");
  if (order.do === "load") return load(queue, order);
  if (order.do === "ready") await queue.ready();
  if (order.do === "hold") await queue.hold(order.key);
  if (order.do === "commit") await queue.commit?.(order.key);
  globalThis.gc?.();
  return { rssBytes: process.memoryUsage().rss, leads: queue.leads?.() ?? false };
}

/** A closed loop: so many callers, each of which waits for its task's end before it submits the next one. */
async function load(to: Queue, { lanes, ms }: { lanes: number; ms: number }): Promise<Loaded> {
  const latencies: number[] = [];
  let failed = 0;
  const from = performance.now();
  const lane = async (): Promise<void> => {
    for (let at = performance.now(); at - from < ms; ) {
      const completed = await to.finish(`${process.pid}-${++tasks}`).then(
        () => true,
        () => false,
      );
      const now = performance.now();
      if (completed) latencies.push(now - at);
      else failed++;
      at = now;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { latencies, failed, tookMs: performance.now() - from };
}

function tell(report: Report): void {
  process.send?.(report);
}
