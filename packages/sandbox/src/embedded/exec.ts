import type { ExecResult, OutputChunk } from "../contract.ts";
import type { ResolvedExec, ResolvedSpec } from "../defaults.ts";
import { outputMeter, type OutputMeter, type OutputSink, stopMessage, stopWatch } from "../execution.ts";
import type { ChildEnd, Reply } from "./child.ts";
import type { Keeper } from "./keeper.ts";
import { askedInVain } from "./unsupported.ts";
import type { Workspace } from "./workspace.ts";

type Verdict = Omit<ExecResult, "stdoutBytes" | "stderrBytes" | "durationMs">;

interface Request {
  readonly argv: readonly string[];
  readonly options: ResolvedExec;
  readonly sink: OutputSink;
  readonly spec: ResolvedSpec;
  readonly files: Workspace;
}

/** Runs one command in the child; resolves when it, or the child that we had to kill, is gone. */
export async function runInChild(machine: Keeper, request: Request): Promise<ExecResult> {
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
  if (machine.disposed) return finish({ outcome: "sandbox-lost", message: "the sandbox was disposed" });
  if (watch.reason !== undefined)
    return finish({ outcome: "cancelled", message: "cancelled before it began" });

  const child = await machine.child();
  const running = child.run(message(request), options.stdin ?? new Uint8Array(0));
  const end = await Promise.race([running, child.ended, watch.stopped]);
  if (typeof end === "string") {
    await child.kill();
    return finish({ outcome: end, message: stopMessage(end, options) });
  }
  if (!("done" in end)) return finish(lost(end));
  const verdict = await settle(end, { request, meter });
  // What it holds is not what we hold: the next command gets a fresh one.
  if (verdict.outcome === "sandbox-lost") await child.kill();
  if (watch.reason !== undefined)
    return finish({ outcome: watch.reason, message: stopMessage(watch.reason, options) });
  return finish(verdict);
}

function message({ argv, options, spec }: Request) {
  return {
    argv,
    cwd: options.cwd,
    env: {
      LANG: "C.UTF-8",
      PATH: "/usr/bin:/bin",
      HOME: "/tmp",
      TMPDIR: "/tmp",
      ...spec.env,
      ...options.env,
      // Otherwise the interpreter puts its own place on the host here.
      _: argv[0] ?? "",
    },
    timeoutMs: options.timeoutMs,
    maxOutputBytes: options.maxOutputBytes,
  };
}

function lost({ outOfMemory, message }: ChildEnd): Verdict {
  return outOfMemory
    ? { outcome: "oom", message: "the memory limit was reached" }
    : { outcome: "sandbox-lost", message };
}

/** Hands the output over, takes the files over, and judges the exit. */
async function settle(
  { done, body }: Reply,
  { request, meter }: { readonly request: Request; readonly meter: OutputMeter },
): Promise<Verdict> {
  const program = request.argv[0] ?? "";
  if (done.refusal !== undefined) return { outcome: "not-started", message: done.refusal };
  const stdout = body.subarray(0, done.stdoutBytes);
  const stderr = body.subarray(done.stdoutBytes, done.stdoutBytes + done.stderrBytes);
  const complaint = Buffer.from(stderr).toString("utf8");
  const asked = done.exitCode === 0 ? undefined : askedInVain(program, complaint);
  if (asked === undefined && complaint === `bash: ${program}: command not found\n`)
    return { outcome: "not-started", message: `${program}: no such program` };
  const problem = request.files.update(done, body.subarray(stdout.length + stderr.length));
  if (done.exitCode !== 0 && OVERFLOW.test(complaint)) return flood(meter, stdout);
  const chunks: OutputChunk[] = [
    { stream: "stdout", bytes: stdout },
    { stream: "stderr", bytes: stderr },
  ];
  for (const chunk of chunks) if (chunk.bytes.length > 0) await meter.write(chunk);
  if (problem !== undefined) return { outcome: "sandbox-lost", message: problem };
  return judge(done.exitCode, asked);
}

const OVERFLOW = /total output size exceeded \(>\d+ bytes\)/;

/** The interpreter gave up at twice the cap, so there may be less in hand than the caller would have taken. */
async function flood(meter: OutputMeter, stdout: Uint8Array): Promise<Verdict> {
  if (stdout.length > 0) await meter.write({ stream: "stdout", bytes: stdout });
  return { outcome: "output-limit", message: "wrote more than was allowed" };
}

function judge(exitCode: number, asked: string | undefined): Verdict {
  if (asked !== undefined)
    return {
      outcome: "unsupported-by-engine",
      exitCode,
      message: `the embedded engine has no ${asked}; a Docker engine has`,
    };
  if (exitCode > 128 && exitCode <= 192) return { outcome: "signaled", exitCode, signal: exitCode - 128 };
  return { outcome: "exited", exitCode };
}
