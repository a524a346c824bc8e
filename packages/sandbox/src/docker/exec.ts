import type Docker from "dockerode";
import type { Duplex } from "node:stream";
import type { ExecResult, OutputChunk } from "../contract.ts";
import { KILL_GRACE_MS, type ResolvedExec } from "../defaults.ts";
import { outputMeter, type OutputMeter, type OutputSink, stopMessage, stopWatch } from "../execution.ts";
import type { Box } from "./box.ts";
import { reasonOf } from "./client.ts";
import { demultiplex } from "./demux.ts";

type Verdict = Omit<ExecResult, "stdoutBytes" | "stderrBytes" | "durationMs">;

/** Runs one command as the task's user; resolves when it, and on our own stop everything else of the task, is gone. */
export async function execInBox(
  box: Box,
  request: { readonly argv: readonly string[]; readonly options: ResolvedExec; readonly sink: OutputSink },
): Promise<ExecResult> {
  const { options, sink } = request;
  const started = performance.now();
  using watch = stopWatch(options.timeoutMs, options.signal);
  const meter = outputMeter(sink, { maxBytes: options.maxOutputBytes, watch });
  const finish = (verdict: Verdict): ExecResult => ({
    ...verdict,
    stdoutBytes: meter.stdoutBytes,
    stderrBytes: meter.stderrBytes,
    durationMs: Math.round(performance.now() - started),
  });
  if (box.lostReason !== undefined) return finish({ outcome: "sandbox-lost", message: box.lostReason });
  if (watch.reason !== undefined)
    return finish({ outcome: "cancelled", message: "cancelled before it began" });

  const killsBefore = box.memoryKills;
  const command = await inTime(begin(box, request.argv, options), Promise.race([watch.stopped, box.lost]));
  if (command === undefined) {
    // It may still start when nobody waits for it any more.
    await box.destroy("the engine did not start a command in time");
    const outcome = watch.reason ?? "sandbox-lost";
    return finish({ outcome, message: box.lostReason ?? "" });
  }
  if ("outcome" in command) return finish(command);
  const talk = engineTalk(meter);
  const reading = read(command.stream, talk);
  await Promise.race([reading, watch.stopped, box.lost]);
  if (watch.reason !== undefined) {
    await stopTask(box, reading);
    return finish({ outcome: watch.reason, message: stopMessage(watch.reason, options) });
  }
  const failure = await Promise.race([reading, box.lost]);
  if (box.lostReason !== undefined) {
    const outcome = box.memoryKills > killsBefore ? "oom" : "sandbox-lost";
    return finish({ outcome, message: box.lostReason });
  }
  return finish(await judge(command.exec, { box, killsBefore, talk, failure }));
}

async function begin(
  box: Box,
  argv: readonly string[],
  options: ResolvedExec,
): Promise<{ exec: Docker.Exec; stream: Duplex } | Verdict> {
  const stdin = options.stdin !== undefined;
  try {
    const exec = await box.container.exec({
      Cmd: [...argv],
      User: `${box.users.task}:${box.users.task}`,
      WorkingDir: options.cwd,
      Env: [...box.env, ...Object.entries(options.env).map(([name, value]) => `${name}=${value}`)],
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin });
    // A program that leaves its input unread makes the engine close the connection under us.
    stream.on("error", () => undefined);
    if (stdin) stream.end(options.stdin);
    return { exec, stream };
  } catch (error) {
    const message = box.lostReason ?? reasonOf(error);
    return { outcome: box.lostReason === undefined ? "not-started" : "sandbox-lost", message };
  }
}

/** The result of `work`, or undefined when it is not there within the grace after `trigger`. */
async function inTime<T extends object>(work: Promise<T>, trigger: Promise<unknown>): Promise<T | undefined> {
  const first = await Promise.race([work, trigger.then(() => undefined)]);
  return first ?? Promise.race([work, after(KILL_GRACE_MS).then(() => undefined)]);
}

/** Resolves at the end of the output, with the reason if that was not a proper one. */
async function read(stream: Duplex, talk: EngineTalk): Promise<string | undefined> {
  try {
    for await (const chunk of demultiplex(stream)) await talk.write(chunk);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** When a program cannot be started, the engine says so on the program's own standard output. */
const COMPLAINT = "OCI runtime exec failed";
const MAX_COMPLAINT_BYTES = 4096;

interface EngineTalk {
  write(chunk: OutputChunk): Promise<void>;
  /** What was held back because it may be the engine's complaint. */
  readonly held: string;
  /** It was the program's own output after all. */
  release(): Promise<void>;
}

function engineTalk(meter: OutputMeter): EngineTalk {
  let held: OutputChunk[] | undefined = [];
  const text = (): string => Buffer.concat((held ?? []).map(({ bytes }) => bytes)).toString("utf8");
  const release = async (): Promise<void> => {
    const chunks = held ?? [];
    held = undefined;
    for (const chunk of chunks) await meter.write(chunk);
  };
  return {
    get held() {
      return text();
    },
    release,
    async write(chunk) {
      if (held === undefined) return meter.write(chunk);
      held.push(chunk);
      const soFar = text();
      const likely = soFar.startsWith(COMPLAINT) || COMPLAINT.startsWith(soFar);
      if (chunk.stream === "stderr" || !likely || soFar.length > MAX_COMPLAINT_BYTES) await release();
    },
  };
}

async function stopTask(box: Box, reading: Promise<unknown>): Promise<void> {
  const killed = await box.killTask();
  const ended = await Promise.race([
    reading.then(() => true),
    box.lost.then(() => true),
    after(KILL_GRACE_MS),
  ]);
  if (!killed || !ended) await box.destroy("it could not be stopped otherwise");
}

/** False after `ms`, without keeping the process alive for it. */
async function after(ms: number): Promise<false> {
  const { promise, resolve } = Promise.withResolvers<false>();
  setTimeout(() => resolve(false), ms).unref();
  return promise;
}

async function judge(
  exec: Docker.Exec,
  context: { box: Box; killsBefore: number; talk: EngineTalk; failure: string | undefined },
): Promise<Verdict> {
  const { box, killsBefore, talk } = context;
  const info = await observedExit(exec);
  if (info === undefined)
    return { outcome: "sandbox-lost", message: context.failure ?? "the engine does not know how it ended" };
  if (info.pid === 0)
    return { outcome: "not-started", message: talk.held.trim() || "the engine did not start it" };
  await talk.release();
  const { exitCode } = info;
  const waitMs = exitCode === 137 ? 300 : 0;
  if (exitCode !== 0 && (await box.memoryKilledSince(killsBefore, waitMs)))
    return { outcome: "oom", exitCode, message: "the memory limit was reached" };
  // Whoever ended the container killed the command with it.
  if (exitCode === 137 && box.lostReason !== undefined)
    return { outcome: "sandbox-lost", message: box.lostReason };
  // Shells and the engine report a signal's number this way; 64 is the last signal there is.
  if (exitCode > 128 && exitCode <= 192) return { outcome: "signaled", exitCode, signal: exitCode - 128 };
  return { outcome: "exited", exitCode };
}

/** The output ends a moment before the engine knows the exit. Undefined when it never tells. */
async function observedExit(exec: Docker.Exec): Promise<{ pid: number; exitCode: number } | undefined> {
  for (let waitMs = 5; waitMs < 3000; waitMs *= 2) {
    const { Running, ExitCode, Pid } = await Promise.race([inspect(exec), after(3000).then(() => UNKNOWN)]);
    if (!Running && ExitCode !== null) return { pid: Pid, exitCode: ExitCode };
    await after(waitMs);
  }
  return undefined;
}

async function inspect(
  exec: Docker.Exec,
): Promise<Pick<Docker.ExecInspectInfo, "Running" | "ExitCode" | "Pid">> {
  return exec.inspect().catch(() => UNKNOWN);
}

const UNKNOWN = { Running: true, ExitCode: null, Pid: 0 };
