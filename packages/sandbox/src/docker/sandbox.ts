import { randomBytes, randomInt } from "node:crypto";
import { Readable } from "node:stream";
import { type Logger, silentLogger } from "@chorus/kernel";
import { collection } from "../collector.ts";
import type {
  CollectLimits,
  Collection,
  ExecOptions,
  Execution,
  Isolation,
  Sandbox,
  SandboxStats,
} from "../contract.ts";
import { FOLDERS, resolveExec, type ResolvedSpec } from "../defaults.ts";
import { BadArchiveError, SandboxLostError } from "../errors.ts";
import { createExecution, notStarted } from "../execution.ts";
import { serial } from "../serial.ts";
import { incoming, repack } from "../tar.ts";
import { type Box, openBox } from "./box.ts";
import { type Engine, reasonOf } from "./client.ts";
import { execInBox } from "./exec.ts";
import { prepareImage } from "./image.ts";
import { labelsOf } from "./labels.ts";
import { listFolder } from "./list.ts";
import type { UserPair } from "./profile.ts";
import { seccompProfile } from "./seccomp.ts";
import { sweep } from "./sweep.ts";

/** What the docker engine needs to make one sandbox. */
export interface DockerRequest {
  readonly image: string;
  readonly preparedFor?: string | undefined;
  readonly spec: ResolvedSpec;
  readonly pull: "missing" | "never";
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
}

const swept = new Map<string, Promise<unknown>>();

/** One hardened container, made and started. */
export async function dockerSandbox(engine: Engine, request: DockerRequest): Promise<Sandbox> {
  const { spec, signal, logger = silentLogger } = request;
  await sweepOnce(engine, logger);
  const image = await prepareImage(engine.docker, request.image, request);
  const id = `chorus-sandbox-${randomBytes(8).toString("hex")}`;
  const seccomp = engine.seccomp ? seccompProfile(engine.machine) : undefined;
  const users = claimUsers();
  try {
    const plan = { id, imageId: image.id, imageEnv: image.env, users, spec, labels: labelsOf(id), seccomp };
    const box = await openBox(engine.docker, plan, { logger, signal });
    const isolation = isolationOf(engine, seccomp);
    return sandboxOf(box, { id, image: image.reference, isolation });
  } catch (error) {
    pairsInUse.delete(users.holder);
    throw error;
  }
}

/** What this engine gives of the profile. */
export function isolationOf(engine: Engine, seccomp = seccompProfile(engine.machine)): Isolation {
  const missing = engine.missing.filter((control) => control !== "seccomp");
  return {
    engine: "docker",
    level: "container",
    missing: engine.seccomp && seccomp !== undefined ? missing : [...missing, "seccomp"],
  };
}

async function sweepOnce(engine: Engine, logger: Logger): Promise<void> {
  let sweeping = swept.get(engine.endpoint);
  if (sweeping === undefined) {
    sweeping = sweep(engine.docker, logger).catch((error: unknown) => {
      logger.warn("could not look for sandboxes left behind", { reason: reasonOf(error) });
    });
    swept.set(engine.endpoint, sweeping);
  }
  await sweeping;
}

/**
 * Some of the kernel's limits count by user across all containers (inotify, message queues), so no two sandboxes share
 * a user. The range stays below 65536, where engines with user namespaces end.
 */
const FIRST_UID = 10_000;
const PAIRS = 25_000;
const pairsInUse = new Set<number>();

function claimUsers(): UserPair {
  for (;;) {
    const holder = FIRST_UID + 2 * randomInt(PAIRS);
    if (pairsInUse.has(holder)) continue;
    pairsInUse.add(holder);
    return { holder, task: holder + 1 };
  }
}

function sandboxOf(
  box: Box,
  about: { readonly id: string; readonly image: string; readonly isolation: Isolation },
): Sandbox {
  const inTurn = serial();
  return {
    ...about,
    put: (target, tar, { signal } = {}) => inTurn(() => put(box, { target, tar, signal })),
    exec(argv: readonly string[], options: ExecOptions = {}): Execution {
      return createExecution((sink) =>
        inTurn(async () => {
          try {
            return await execInBox(box, { argv, options: resolveExec(argv, options), sink });
          } catch (error) {
            return notStarted(error);
          }
        }),
      );
    },
    collect: (from: "output" | "data", limits?: CollectLimits): Collection =>
      collection((signal) => listFolder(box, { from, inTurn, signal }), limits),
    stats: () => stats(box),
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      pairsInUse.delete(box.users.holder);
    },
  };
}

async function put(
  box: Box,
  request: {
    readonly target: "input" | "data";
    readonly tar: AsyncIterable<Uint8Array> | Uint8Array;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { target, signal } = request;
  if (box.lostReason !== undefined) throw new SandboxLostError(box.lostReason);
  signal?.throwIfAborted();
  const readOnly = target === "input";
  let refusal: unknown;
  const checked = watched(incoming(request.tar), (error) => (refusal ??= error));
  const stream = Readable.from(repack(checked, { uid: readOnly ? 0 : box.users.task, readOnly }), {
    objectMode: false,
  });
  // The client destroys its request when the source fails; without this listener that would be uncaught.
  stream.on("error", () => undefined);
  const onAbort = (): void => void stream.destroy(new Error("cancelled"));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await box.container.putArchive(stream, { path: FOLDERS[target], noOverwriteDirNonDir: "true" });
  } catch (error) {
    signal?.throwIfAborted();
    if (refusal instanceof Error) throw refusal;
    if (box.lostReason !== undefined) throw new SandboxLostError(box.lostReason, error);
    throw new BadArchiveError(reasonOf(error), error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    stream.destroy();
  }
  if (refusal instanceof Error) throw refusal;
}

async function* watched<T>(source: AsyncIterable<T>, onError: (error: unknown) => void): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    onError(error);
    throw error;
  }
}

async function stats(box: Box): Promise<SandboxStats> {
  if (box.lostReason !== undefined) throw new SandboxLostError(box.lostReason);
  const { memory_stats, cpu_stats, pids_stats } = await box.container.stats({
    stream: false,
    "one-shot": true,
  });
  const processes = pids_stats?.current;
  return {
    memoryBytes: memory_stats.usage ?? 0,
    memoryLimitBytes: memory_stats.limit ?? 0,
    cpuMs: Math.round(cpu_stats.cpu_usage.total_usage / 1e6),
    ...(processes !== undefined && { processes }),
  };
}
