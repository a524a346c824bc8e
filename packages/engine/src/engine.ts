import { silentLogger, systemClock } from "@chorus/kernel";
import { packTrees } from "./archive.ts";
import { runCommands, type Failure } from "./commands.ts";
import type {
  Engine,
  EngineComponents,
  EngineOptions,
  EngineTask,
  ExecuteOptions,
  Isolation,
  RunResult,
  SandboxPort,
  SandboxRequest,
} from "./contract.ts";
import { refusalOf } from "./errors.ts";
import { readInputs, SOURCE } from "./inputs.ts";
import { choosePlan, type Plan } from "./recipes.ts";
import { artifactsOf, collectResults, type Results, type Verdict } from "./results.ts";
import { Run, type World } from "./run.ts";
import { filesOf, type Tree } from "./tree.ts";

const MIB = 1024 * 1024;
const NO_SANDBOX: Isolation = { engine: "none", level: "none", missing: [] };
const EMPTY: Tree = new Map();
const NO_RESULTS: Results = {
  output: [],
  changes: { files: [], added: [], modified: [], deleted: [] },
  omitted: [],
};

/** Makes an engine. It starts nothing and holds nothing: every run owns and disposes of its sandbox. */
export function engine(components: EngineComponents, options: EngineOptions = {}): Engine {
  const world: World = {
    ...components,
    clock: components.clock ?? systemClock,
    logger: components.logger ?? silentLogger,
    settings: {
      taskTimeoutMs: 1_800_000,
      commandTimeoutMs: 600_000,
      maxOutputBytes: 8 * MIB,
      maxInputBytes: 256 * MIB,
      maxInputFiles: 20_000,
      maxArtifactBytes: 64 * MIB,
      maxArtifactFiles: 1000,
      versions: {},
      ...options,
    },
  };
  return { execute: (task, call) => execute(world, task, call) };
}

/** One attempt, from the first input to the report. */
async function execute(world: World, task: EngineTask, call: ExecuteOptions): Promise<RunResult> {
  call.signal.throwIfAborted();
  const run = new Run(world, task, call);
  const known: Known = { isolation: NO_SANDBOX };
  try {
    const inputs = await unpack(run);
    const source = inputs.get(SOURCE);
    known.plan = choosePlan(task.spec, source);
    const sandbox = await world.sandboxes.create(requestOf(task, known.plan, inputs), { signal: run.signal });
    try {
      known.isolation = sandbox.isolation;
      known.image = sandbox.image;
      await fill(run, sandbox, inputs);
      const failure = await runCommands(run, sandbox, known.plan);
      run.progress("collecting", "collecting files and changes");
      const results =
        failure?.retryable === true ? NO_RESULTS : await collectResults(run, sandbox, source ?? EMPTY);
      return finish(run, known, { failure, results, source });
    } finally {
      await dispose(world, sandbox);
    }
  } catch (error) {
    call.signal.throwIfAborted();
    const refusal = run.isOutOfTime() ? refusalOf(run.signal.reason) : refusalOf(error);
    if (refusal === undefined) throw error;
    const failure = { reason: refusal.message, retryable: refusal.retryable };
    return finish(run, known, { failure, results: NO_RESULTS, source: undefined });
  } finally {
    run.end();
  }
}

/** What has been found out before a run ends, however it ends. */
interface Known {
  isolation: Isolation;
  image?: string | undefined;
  plan?: Plan;
}

async function unpack(run: Run): Promise<ReadonlyMap<string, Tree>> {
  const { inputs = [] } = run.task.spec;
  const { maxInputBytes, maxInputFiles } = run.world.settings;
  const budget = { bytes: 0, files: 0, maxBytes: maxInputBytes, maxFiles: maxInputFiles };
  const trees = await readInputs(inputs, run.world.inputs, { budget, signal: run.signal });
  const count = `${budget.files} ${budget.files === 1 ? "file" : "files"}`;
  run.progress("inputs", `${trees.size} inputs with ${count}, ${budget.bytes} bytes`);
  return trees;
}

function requestOf(
  { spec }: EngineTask,
  { language }: Plan,
  inputs: ReadonlyMap<string, Tree>,
): SandboxRequest {
  const { image, isolation, memoryBytes, cpus } = spec.requirements ?? {};
  return {
    files: filesOf(inputs.get(SOURCE) ?? EMPTY),
    ...(language === undefined ? {} : { language }),
    ...(image === undefined ? {} : { image }),
    ...(isolation === undefined ? {} : { isolation }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpus === undefined ? {} : { cpus }),
  };
}

async function fill(run: Run, sandbox: SandboxPort, inputs: ReadonlyMap<string, Tree>): Promise<void> {
  const { signal } = run;
  if (inputs.size > 0) await sandbox.put("input", packTrees(inputs), { signal });
  const source = inputs.get(SOURCE);
  if (source !== undefined) await sandbox.put("data", packTrees([["", source]]), { signal });
}

function finish(
  run: Run,
  { plan, isolation, image }: Known,
  { failure, results, source }: { failure: Failure | undefined; results: Results; source: Tree | undefined },
): RunResult {
  const ended = failure ?? uncollected(results);
  const verdict: Verdict = {
    outcome: ended === undefined ? "succeeded" : "failed",
    ...(ended === undefined ? {} : { reason: ended.reason }),
    retryable: ended?.retryable ?? false,
    steps: run.steps,
    redactions: run.log.redactions,
    isolation,
    ...(image === undefined ? {} : { image }),
    ...(plan?.language === undefined ? {} : { language: plan.language }),
    ...(plan?.recipe === undefined ? {} : { recipe: plan.recipe }),
  };
  return { ...verdict, artifacts: artifactsOf(run, verdict, { results, source: source ?? EMPTY }) };
}

function uncollected({ problem }: Results): Failure | undefined {
  if (problem === undefined) return undefined;
  return {
    reason: `the commands succeeded, but their files could not be collected: ${problem}`,
    retryable: false,
  };
}

async function dispose({ logger }: World, sandbox: SandboxPort): Promise<void> {
  try {
    await sandbox[Symbol.asyncDispose]();
  } catch (error) {
    // The result stands; what was left behind is the sandbox's sweep to find.
    logger.warn("sandbox not disposed", { error: error instanceof Error ? error.message : String(error) });
  }
}
