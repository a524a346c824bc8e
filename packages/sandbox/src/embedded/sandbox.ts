import { randomBytes } from "node:crypto";
import { type Logger, silentLogger } from "@chorus/kernel";
import { collection } from "../collector.ts";
import type { CollectLimits, Collection, ExecOptions, Execution, Isolation, Sandbox } from "../contract.ts";
import { resolveExec, type ResolvedSpec } from "../defaults.ts";
import { CollectFailedError, SandboxLostError, StartFailedError } from "../errors.ts";
import { createExecution, notStarted } from "../execution.ts";
import { serial } from "../serial.ts";
import { runInChild } from "./exec.ts";
import { DISPOSED, type Keeper, keeper } from "./keeper.ts";
import { statsOf } from "./stats.ts";
import { type Workspace, workspace } from "./workspace.ts";

/** What the embedded engine does not have of the full profile. */
const MISSING = [
  "kernel-isolation",
  "native-programs",
  "network-namespace",
  "cpu-quota",
  "process-limit",
  "inode-quota",
  "byte-exact-output",
  "streamed-output",
];

/** What it gives, always and everywhere the same. */
export const EMBEDDED_ISOLATION: Isolation = { engine: "embedded", level: "simulated", missing: MISSING };

/** A virtual machine in a child process. The files are kept here as well, so that a killed child costs none of them. */
export async function embeddedSandbox(
  spec: ResolvedSpec,
  options: { readonly logger?: Logger | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<Sandbox> {
  const { logger = silentLogger, signal } = options;
  const files = workspace(spec);
  const machine = keeper(spec, files);
  const child = await machine.child();
  if (signal?.aborted || child.hasEnded) {
    await machine.dispose();
    signal?.throwIfAborted();
    throw new StartFailedError((await child.ended).message);
  }
  logger.debug("an embedded sandbox is ready", { pid: child.pid });
  return sandboxOf(machine, { spec, files });
}

interface Parts {
  readonly spec: ResolvedSpec;
  readonly files: Workspace;
}

function sandboxOf(machine: Keeper, { spec, files }: Parts): Sandbox {
  const inTurn = serial();
  return {
    id: `chorus-embedded-${randomBytes(8).toString("hex")}`,
    isolation: EMBEDDED_ISOLATION,
    put: (target, tar, { signal } = {}) =>
      inTurn(async () => {
        if (machine.disposed) throw new SandboxLostError(DISPOSED);
        signal?.throwIfAborted();
        const { entries, contents } = await files.put(target, { tar, signal });
        (await machine.child()).load({ entries }, contents);
      }),
    exec: (argv: readonly string[], options: ExecOptions = {}): Execution =>
      createExecution((sink) =>
        inTurn(async () => {
          try {
            return await runInChild(machine, {
              argv,
              options: resolveExec(argv, options),
              sink,
              spec,
              files,
            });
          } catch (error) {
            return notStarted(error);
          }
        }),
      ),
    collect: (from: "output" | "data", limits?: CollectLimits): Collection =>
      collection(async function* () {
        // Nothing runs between commands here, so waiting for one's turn is enough.
        yield* await inTurn(async () => {
          if (machine.disposed) throw new CollectFailedError(DISPOSED);
          return files.list(from);
        });
      }, limits),
    stats: () => statsOf(machine, spec),
    [Symbol.asyncDispose]: () => machine.dispose(),
  };
}
