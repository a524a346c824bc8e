import type { LocalPeer } from "./local-mesh.ts";
import type { Story } from "./story.ts";

/** The parts of a task's events that the story tells. */
export interface StoryEvent {
  readonly type: string;
  readonly seq: number;
  readonly by: string;
  readonly token?: { readonly term: number; readonly index: number };
  readonly attempt?: number;
  readonly step?: { readonly phase: string; readonly message: string };
  readonly reason?: { readonly message: string };
  readonly result?: StoryResult;
}

/** The parts of a task's result that the story tells. */
export interface StoryResult {
  readonly outcome: "succeeded" | "failed";
  readonly reason?: string;
  readonly decision: { readonly address: string; readonly cid: string; readonly signatures: string };
  readonly artifacts: readonly { readonly path: string; readonly cid: string; readonly size: number }[];
  readonly quarantined: readonly { readonly path: string }[];
  readonly redactions: number;
  readonly replicas: number;
  readonly degraded: boolean;
}

const ENDINGS = new Set(["task-completed", "task-failed", "task-canceled", "task-dead-lettered"]);
const RETRY_MS = 200;

/** How a task ended, and who held it last. */
export interface Ending {
  readonly event: StoryEvent;
  readonly holder?: string;
}

/**
 * Tells a task's events until its last one. The events are the same at every peer, so when one is lost the next is
 * asked from where the last one stopped.
 */
export async function tellTask(
  task: {
    readonly id: string;
    readonly peers: readonly LocalPeer[];
    nameOf(peer: string): string;
    onHolder(peer: string): void;
  },
  story: Story,
  signal: AbortSignal,
): Promise<Ending> {
  let holder: string | undefined;
  for await (const event of follow(task, signal)) {
    if (event.type === "task-claimed") {
      holder = event.by;
      task.onHolder(holder);
    }
    tellEvent(event, task.nameOf(event.by), story);
    if (ENDINGS.has(event.type)) return { event, ...(holder === undefined ? {} : { holder }) };
  }
  throw new Error("the task's events ended without an ending");
}

function tellEvent(event: StoryEvent, by: string, story: Story): void {
  if (event.type === "task-claimed" && event.token) {
    const again = event.attempt !== undefined && event.attempt > 1 ? `, attempt ${event.attempt}` : "";
    const token = `${event.token.term}.${event.token.index}`;
    story.step("coordinator", `${by} holds the lease, fencing token ${token}${again}`, { timed: true });
  }
  if (event.type === "task-progressed" && event.step?.phase === "command-finished")
    story.step("sandbox", event.step.message, { timed: true });
  if (event.type === "task-released")
    story.step("coordinator", `the lease is over: ${event.reason?.message ?? "given up"}`, { timed: true });
}

async function* follow(
  { id, peers }: { readonly id: string; readonly peers: readonly LocalPeer[] },
  signal: AbortSignal,
): AsyncGenerator<StoryEvent> {
  let last = 0;
  for (let turn = 0; ; turn++) {
    const alive = peers.filter((peer) => peer.alive);
    const peer = alive[turn % Math.max(alive.length, 1)];
    if (peer === undefined) throw new Error("no agent is left");
    for await (const event of eventsOf(peer, { id, after: last, signal })) {
      last = event.seq;
      yield event;
    }
    await pause(RETRY_MS, signal);
  }
}

/** One peer's view until it ends or the peer is lost. */
async function* eventsOf(
  peer: LocalPeer,
  { id, after, signal }: { readonly id: string; readonly after: number; readonly signal: AbortSignal },
): AsyncGenerator<StoryEvent> {
  try {
    for await (const { event, data } of peer.client.events<StoryEvent>(`/v1/tasks/${id}/events`, {
      after,
      signal,
    })) {
      if (event === "reset") return;
      yield data;
    }
  } catch {
    signal.throwIfAborted();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
