import type { Command, SandboxPort, Step, StepOutcome } from "./contract.ts";
import type { StepOutput } from "./output-log.ts";
import type { Plan } from "./recipes.ts";
import type { Run } from "./run.ts";
import { summarize } from "./summary.ts";

/** Tools then print plain text at once, and leave less behind. */
const ENVIRONMENT = { CI: "true", NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1" };
/** After these nothing more can run in the sandbox, whatever the task allows. */
const FINAL: ReadonlySet<StepOutcome> = new Set(["sandbox-lost", "cancelled"]);
const SHOWN = 200;

/** A command that ended the run. */
export interface Failure {
  readonly reason: string;
  readonly retryable: boolean;
}

/**
 * Runs the commands in order until one fails that may not; between two of them a paused task stands still.
 * @returns why the run failed, if it did
 */
export async function runCommands(
  run: Run,
  sandbox: SandboxPort,
  { commands, acceptance }: Pick<Plan, "commands" | "acceptance">,
): Promise<Failure | undefined> {
  const all = [...commands, ...acceptance];
  for (const [index, command] of all.entries()) {
    const place = { index, count: all.length };
    await run.boundary();
    if (index === commands.length) run.progress("verifying", "what the task has to meet is checked");
    run.progress("command-started", shorten(`$ ${command.run}`), place);
    const { step, message } = await runCommand(run, sandbox, { command, index });
    run.steps.push(step);
    run.progress("command-finished", describe(step, index, all.length), place);
    run.signal.throwIfAborted();
    const isFailure = !succeeded(step) && (command.allowFailure !== true || FINAL.has(step.outcome));
    if (isFailure) {
      const detail = message === undefined ? "" : ` (${message})`;
      return {
        reason: describe(step, index, all.length) + detail,
        retryable: step.outcome === "sandbox-lost",
      };
    }
  }
  return undefined;
}

/** Nothing but an observed exit with 0 is success. */
function succeeded({ outcome, exitCode }: Step): boolean {
  return outcome === "exited" && exitCode === 0;
}

async function runCommand(
  run: Run,
  sandbox: SandboxPort,
  { command, index }: { command: Command; index: number },
): Promise<{ step: Step; message: string | undefined }> {
  const { clock, redactor, settings } = run.world;
  const started = clock.monotonic();
  const steering = run.steering();
  const output = run.log.open(index, redactor);
  const execution = sandbox.exec(["sh", "-c", command.run], {
    env: steering === "" ? ENVIRONMENT : { ...ENVIRONMENT, CHORUS_STEERING: steering },
    timeoutMs: Math.max(1, Math.min(command.timeoutMs ?? settings.commandTimeoutMs, run.timeLeftMs())),
    maxOutputBytes: Math.max(1, run.outputLeft()),
    signal: run.signal,
  });
  for await (const { stream, bytes } of execution) await output.write(stream, bytes);
  const { outcome, exitCode, message } = await execution.result;
  await output.end();
  run.spendOutput(output.written.stdout + output.written.stderr);
  const step = {
    run: command.run,
    outcome: run.isOutOfTime() ? "timeout" : outcome,
    ...(exitCode === undefined ? {} : { exitCode }),
    durationMs: Math.round(clock.monotonic() - started),
    ...measured(output),
  } satisfies Step;
  return { step, message };
}

function measured(output: StepOutput): Pick<Step, "stdoutBytes" | "stderrBytes" | "summary"> {
  const summary = summarize(output.tail);
  return {
    stdoutBytes: output.written.stdout,
    stderrBytes: output.written.stderr,
    ...(summary === undefined ? {} : { summary }),
  };
}

function describe(step: Step, index: number, count: number): string {
  const name = `command ${index + 1} of ${count}`;
  const summary = step.summary === undefined ? "" : `: ${step.summary}`;
  return `${name} ${ENDINGS[step.outcome](step)}${summary} [${shorten(step.run)}]`;
}

const ENDINGS: Readonly<Record<StepOutcome, (step: Step) => string>> = {
  exited: ({ exitCode, durationMs }) => `exited with ${exitCode ?? "an unknown code"} after ${durationMs} ms`,
  signaled: () => "was ended by a signal",
  timeout: ({ durationMs }) => `was stopped after ${durationMs} ms, its time limit`,
  "output-limit": ({ stdoutBytes, stderrBytes }) =>
    `was stopped because the output passed its limit (${stdoutBytes + stderrBytes} bytes by this command)`,
  oom: () => "ran out of memory",
  cancelled: () => "was cancelled",
  "not-started": () => "could not be started",
  "unsupported-by-engine": () =>
    "asks for a program that this sandbox does not have; a peer with Docker can run it",
  "sandbox-lost": () => "lost its sandbox",
  "collect-failed": () => "left files that could not be collected",
};

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
