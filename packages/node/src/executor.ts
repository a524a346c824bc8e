import { ChorusError } from "@chorus/kernel";
import type { Components } from "@chorus/coordinator";
import type { Engine } from "@chorus/engine";

type Executor = Components["executor"];

/** The run could not be carried out; another attempt, perhaps on another peer, may. */
class RunLostError extends ChorusError {
  readonly code = "node/run-lost";
  constructor(reason: string) {
    super(reason, { retryable: true });
  }
}

/** Lets the engine run the coordinator's tasks: the same work, told in the coordinator's words. */
export function executor(engine: Engine): Executor {
  return {
    async execute(task, { attempt, onOutput, onProgress, signal }) {
      const result = await engine.execute(task, {
        attempt,
        onOutput: ({ stream, bytes }) => onOutput({ stream, bytes }),
        onProgress: ({ phase, message }) => onProgress({ kind: phase, text: message }),
        signal,
      });
      if (result.outcome === "failed" && result.retryable)
        throw new RunLostError(result.reason ?? "run lost");
      return result;
    },
  };
}
