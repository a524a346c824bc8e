import { Duplex, Readable } from "node:stream";
import type Docker from "dockerode";
import type { Logger } from "@chorus/kernel";
import { KILL_GRACE_MS } from "../defaults.ts";
import { StartFailedError } from "../errors.ts";
import { reasonOf, statusOf } from "./client.ts";
import { type ContainerPlan, containerOptions, environment, type UserPair } from "./profile.ts";

/** A running container whose life is tied to ours. */
export interface Box extends AsyncDisposable {
  readonly container: Docker.Container;
  readonly env: readonly string[];
  readonly users: UserPair;
  /** Set once the container is gone. */
  readonly lostReason: string | undefined;
  /** Resolves with the reason when the container is gone; never rejects. */
  readonly lost: Promise<string>;
  /** How often the memory limit has killed something so far. */
  readonly memoryKills: number;
  /** Waits up to `ms` for `memoryKills` to pass `count`: the engine tells of it a little after the exit. */
  memoryKilledSince(count: number, ms: number): Promise<boolean>;
  /** Kills every process of the task. False when that could not be seen to have happened in time. */
  killTask(): Promise<boolean>;
  /** The last resort: everything is gone afterwards, files included. */
  destroy(reason: string): Promise<void>;
}

/** Makes and starts the container; on failure nothing is left behind. */
export async function openBox(
  docker: Docker,
  plan: ContainerPlan,
  options: { readonly logger: Logger; readonly signal?: AbortSignal | undefined },
): Promise<Box> {
  const container = await create(docker, plan);
  const state = boxState();
  try {
    options.signal?.throwIfAborted();
    // Before the start, so that no event can be missed.
    const events = asReadable(await docker.getEvents({ filters: { container: [container.id] } }));
    state.owned.push(events);
    void watchEvents(events, state);
    const leash = asDuplex(await container.attach({ stream: true, stdin: true, hijack: true }));
    state.owned.push(leash);
    leash.on("error", () => undefined);
    leash.on("close", () => state.lose("the connection to the container was lost"));
    leash.resume();
    await container.start();
    options.signal?.throwIfAborted();
    // A started container says nothing: only a round trip shows that its holder lives and its task can be killed.
    const answers = await killTask(container, { user: plan.users.task, lost: state.lost });
    if (!answers || state.lostReason !== undefined) throw new Error("the image has no cat or no /bin/sh");
  } catch (error) {
    for (const stream of state.owned) stream.destroy();
    await remove(container, options.logger);
    if (options.signal?.aborted) throw options.signal.reason;
    throw new StartFailedError(reasonOf(error), error);
  }
  return box(container, { plan, state, logger: options.logger });
}

async function create(docker: Docker, plan: ContainerPlan): Promise<Docker.Container> {
  try {
    return await docker.createContainer(containerOptions(plan));
  } catch (error) {
    throw new StartFailedError(reasonOf(error), error);
  }
}

interface BoxState {
  readonly owned: { destroy(): unknown }[];
  readonly lost: Promise<string>;
  lostReason: string | undefined;
  memoryKills: number;
  onMemoryKill: (() => void) | undefined;
  lose(reason: string): void;
}

function boxState(): BoxState {
  const lost = Promise.withResolvers<string>();
  return {
    owned: [],
    lost: lost.promise,
    lostReason: undefined,
    memoryKills: 0,
    onMemoryKill: undefined,
    lose(reason) {
      this.lostReason ??= reason;
      lost.resolve(this.lostReason);
    },
  };
}

function box(
  container: Docker.Container,
  { plan, state, logger }: { plan: ContainerPlan; state: BoxState; logger: Logger },
): Box {
  let removed: Promise<void> | undefined;
  const destroy = (reason: string): Promise<void> => {
    state.lose(reason);
    removed ??= remove(container, logger).finally(() => {
      for (const stream of state.owned) stream.destroy();
    });
    return removed;
  };
  return {
    container,
    env: environment(plan),
    users: plan.users,
    lost: state.lost,
    get lostReason() {
      return state.lostReason;
    },
    get memoryKills() {
      return state.memoryKills;
    },
    async memoryKilledSince(count, ms) {
      if (state.memoryKills > count) return true;
      const happened = Promise.withResolvers<void>();
      const timer = setTimeout(happened.resolve, ms);
      state.onMemoryKill = happened.resolve;
      await Promise.race([happened.promise, state.lost]);
      state.onMemoryKill = undefined;
      clearTimeout(timer);
      return state.memoryKills > count;
    },
    killTask: () => killTask(container, { user: plan.users.task, lost: state.lost }),
    destroy,
    [Symbol.asyncDispose]: () => destroy("the sandbox was disposed"),
  };
}

async function watchEvents(events: Readable, state: BoxState): Promise<void> {
  let rest = "";
  try {
    for await (const chunk of events) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) note(line, state);
    }
  } catch {
    // A broken event stream says no more than its end.
  }
  state.lose("the connection to the engine was lost");
}

function note(line: string, state: BoxState): void {
  const action = /"(?:Action|status)":"([a-z_]+)/.exec(line)?.[1];
  if (action === "oom") {
    state.memoryKills++;
    state.onMemoryKill?.();
  } else if (action === "die") state.lose("its container ended");
}

/**
 * `kill -9 -1` as the task's user reaches all of its processes, whatever they did to hide (new sessions, cleared
 * environments, ignored signals), and never the holder, which is another user. The shell's own `kill` needs no new
 * process, so it works at the process limit; entering the container needs one, so that step is tried again.
 */
async function killTask(
  container: Docker.Container,
  { user, lost }: { readonly user: number; readonly lost: Promise<string> },
): Promise<boolean> {
  const until = performance.now() + KILL_GRACE_MS;
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), KILL_GRACE_MS);
  const gone = lost.then(() => true);
  try {
    while (performance.now() < until) {
      const done = await Promise.race([tryKill(container, user), late.promise, gone]);
      if (done) return true;
    }
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function tryKill(container: Docker.Container, user: number): Promise<boolean> {
  try {
    const exec = await container.exec({
      Cmd: ["/bin/sh", "-c", "kill -9 -1"],
      User: `${user}:${user}`,
      WorkingDir: "/",
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: false });
    for await (const _ of stream);
    const { Pid, ExitCode } = await exec.inspect();
    // 0: killed; 1: there was nothing to kill. Without a process id, the shell never ran.
    return Pid !== 0 && (ExitCode === 0 || ExitCode === 1);
  } catch {
    return false;
  }
}

async function remove(container: Docker.Container, logger: Logger): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    // 404: it removed itself. 409: it is doing so now.
    if (statusOf(error) === 404) return;
    if (statusOf(error) !== 409) {
      logger.warn("a sandbox's container could not be removed", { reason: reasonOf(error) });
      return;
    }
  }
  await gone(container);
}

/** The engine answers a removal before the container and its volumes are really gone. */
async function gone(container: Docker.Container): Promise<void> {
  try {
    await container.wait({ condition: "removed" });
  } catch {
    // It is gone, or the engine is.
  }
}

/** The client's types promise less than it returns. */
function asReadable(stream: NodeJS.ReadableStream): Readable {
  if (stream instanceof Readable) return stream;
  throw new TypeError("not a stream");
}

function asDuplex(stream: NodeJS.ReadWriteStream): Duplex {
  if (stream instanceof Duplex) return stream;
  throw new TypeError("not a two-way stream");
}
