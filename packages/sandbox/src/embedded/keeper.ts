import type { ResolvedSpec } from "../defaults.ts";
import { SandboxLostError } from "../errors.ts";
import { type Child, startChild } from "./child.ts";
import { totalBytes, type Workspace } from "./workspace.ts";

/** Room for the outputs in one report; the interpreter itself cannot hold longer strings. */
const MAX_OUTPUT_BYTES = 1_073_741_824;

/** Why nothing can be done any more. */
export const DISPOSED = "the sandbox was disposed";

/** Keeps one child alive: starts the next when one was killed, with the files as they were before that command. */
export interface Keeper {
  readonly disposed: boolean;
  /** The one that lives now, ready; started when there is none. */
  child(): Promise<Child>;
  dispose(): Promise<void>;
}

/** No child yet: the first is started when it is asked for. */
export function keeper(spec: ResolvedSpec, files: Workspace): Keeper {
  let current: Child | undefined;
  let disposed = false;
  return {
    get disposed() {
      return disposed;
    },
    async child() {
      if (disposed) throw new SandboxLostError(DISPOSED);
      if (current === undefined || current.hasEnded) {
        current = startChild({
          memoryBytes: spec.memoryBytes,
          fileBytes: totalBytes(spec),
          maxReplyBytes: Math.min(totalBytes(spec) + MAX_OUTPUT_BYTES, 0xff_ff_ff_ff),
        });
        await current.ready;
        const { entries, contents } = files.all();
        if (entries.length > 0) current.load({ entries }, contents);
      }
      return current;
    },
    async dispose() {
      disposed = true;
      await current?.kill();
    },
  };
}
