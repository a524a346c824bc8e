import { createHash } from "node:crypto";
import { ChangeTracker, patchOf, type Changes } from "./changes.ts";
import type { Artifact, CollectedFile, RunResult, SandboxPort } from "./contract.ts";
import { refusalOf, TooManyArtifactsError } from "./errors.ts";
import { mediaTypeOf } from "./media-type.ts";
import type { Run } from "./run.ts";
import type { Tree } from "./tree.ts";

const MAX_DEPTH = 32;
/** The working tree is read whole and kept in part: its own size is the sandbox's to bound. */
const MAX_DATA_BYTES = 1024 * 1024 * 1024;
const MAX_DATA_FILES = 200_000;

/** What came out of the sandbox. */
export interface Results {
  readonly output: readonly CollectedFile[];
  readonly changes: Changes;
  /** Changed files that are over the limits: named in the report, not kept. */
  readonly omitted: readonly string[];
  /** Why some of it is missing. */
  readonly problem?: string;
}

/** Collects files and changes. A refusal by the sandbox becomes `problem`, and what was collected stays. */
export async function collectResults(run: Run, sandbox: SandboxPort, source: Tree): Promise<Results> {
  const collector = new Collector(run, source);
  try {
    await collector.output(sandbox);
    await collector.changes(sandbox);
    return collector.results();
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return { ...collector.results(), problem: refusal.message };
  }
}

class Collector {
  readonly #run: Run;
  readonly #tracker: ChangeTracker;
  readonly #output: CollectedFile[] = [];
  readonly #omitted: string[] = [];
  #bytes = 0;
  #files = 0;
  #isWhole = false;

  constructor(run: Run, source: Tree) {
    this.#run = run;
    this.#tracker = new ChangeTracker(source);
  }

  async output(sandbox: SandboxPort): Promise<void> {
    const { maxArtifactBytes, maxArtifactFiles } = this.#run.world.settings;
    const limits = { maxBytes: maxArtifactBytes, maxFiles: maxArtifactFiles, maxDepth: MAX_DEPTH };
    for await (const file of sandbox.collect("output", limits)) {
      this.#run.signal.throwIfAborted();
      if (!this.#fits(file))
        throw new TooManyArtifactsError(`${maxArtifactFiles} files or ${maxArtifactBytes} bytes`);
      this.#output.push(file);
    }
  }

  async changes(sandbox: SandboxPort): Promise<void> {
    const limits = { maxBytes: MAX_DATA_BYTES, maxFiles: MAX_DATA_FILES, maxDepth: MAX_DEPTH };
    for await (const file of sandbox.collect("data", limits)) {
      this.#run.signal.throwIfAborted();
      if (!this.#tracker.differs(file)) continue;
      if (this.#fits(file)) this.#tracker.keep(file);
      else this.#omitted.push(file.path);
    }
    this.#isWhole = true;
  }

  results(): Results {
    // Without the whole tree, a file that was not seen cannot be called deleted.
    const changes = this.#isWhole ? this.#tracker.finish() : new ChangeTracker(new Map()).finish();
    this.#output.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { output: this.#output, changes, omitted: this.#omitted.toSorted() };
  }

  #fits({ bytes }: CollectedFile): boolean {
    const { maxArtifactBytes, maxArtifactFiles } = this.#run.world.settings;
    if (this.#bytes + bytes.length > maxArtifactBytes || this.#files + 1 > maxArtifactFiles) return false;
    this.#bytes += bytes.length;
    this.#files += 1;
    return true;
  }
}

/** Everything about a finished run but its files. */
export type Verdict = Omit<RunResult, "artifacts">;

/** The files of a run, the report first: it names the others with their digests. */
export function artifactsOf(
  run: Run,
  verdict: Verdict,
  { results, source }: { results: Results; source: Tree },
): Artifact[] {
  const patch = patchOf(source, results.changes);
  const files = [
    artifact("output.log", run.log.bytes()),
    ...(patch === "" ? [] : [artifact("changes.patch", Buffer.from(patch))]),
    ...results.changes.files.map(({ path, mode, bytes }) => artifact(`data/${path}`, bytes, mode)),
    ...results.output.map(({ path, mode, bytes }) => artifact(`output/${path}`, bytes, mode)),
  ];
  return [artifact("report.json", Buffer.from(reportOf(run, verdict, { results, files }))), ...files];
}

function artifact(path: string, bytes: Uint8Array, mode = 0o644): Artifact {
  return { path, mode, mediaType: mediaTypeOf(path, bytes), bytes: new Uint8Array(bytes) };
}

function reportOf(
  run: Run,
  verdict: Verdict,
  { results, files }: { results: Results; files: readonly Artifact[] },
): string {
  const { added, modified, deleted } = results.changes;
  const report = {
    format: "chorus.report/1",
    task: run.task.id,
    attempt: run.attempt,
    ...verdict,
    durationMs: run.elapsedMs(),
    inputs: run.task.spec.inputs ?? [],
    changes: { added, modified, deleted, omitted: results.omitted },
    ...(results.problem === undefined ? {} : { collectProblem: results.problem }),
    artifacts: files.map(({ path, bytes }) => ({
      path,
      size: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    })),
    versions: run.world.settings.versions,
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
