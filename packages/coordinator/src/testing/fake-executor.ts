import type { Executor, RunResult } from "../contract-ports.ts";

/** What a scripted run may do. */
export type Script = (...call: Parameters<Executor["execute"]>) => Promise<RunResult>;

/** Runs a script instead of a sandbox, and counts. */
export interface FakeExecutor extends Executor {
  /** Runs so far, finished or not: task id and attempt. */
  readonly runs: readonly { readonly task: string; readonly attempt: number }[];
}

/** @param script what each run does. @default succeeds at once with {@link succeeded} */
export function fakeExecutor(script: Script = async () => succeeded()): FakeExecutor {
  const runs: { task: string; attempt: number }[] = [];
  return {
    runs,
    execute(task, options) {
      runs.push({ task: task.id, attempt: options.attempt });
      return script(task, options);
    },
  };
}

/** A run that went well and left these files behind, by path. */
export function succeeded(files: Readonly<Record<string, string>> = { "output.log": "ok\n" }): RunResult {
  const artifacts = Object.entries(files).map(([path, text]) => ({
    path,
    mode: 0o644,
    mediaType: "text/plain",
    bytes: new TextEncoder().encode(text),
  }));
  const isolation = { engine: "fake", level: "simulated", missing: ["everything"] };
  return { outcome: "succeeded", steps: [], artifacts, isolation };
}
