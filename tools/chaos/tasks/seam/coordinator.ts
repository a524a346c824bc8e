// What packages/node imports as `@chorus/coordinator` in an agent of the harness.
import {
  type Components,
  coordinator as realCoordinator,
  taskMachine as realMachine,
} from "@chorus/coordinator";
import { probe } from "../probe.ts";
import { delegate } from "./delegate.ts";
import { probedEffectors } from "./effectors.ts";
import { momentOf, readMessage, type Message } from "./message.ts";
import { told, unfenced } from "./machine.ts";

export * from "@chorus/coordinator";

const HELD_MS = 60_000;

/** A coordinator whose messages, runs and effects can be held. */
export const coordinator: typeof realCoordinator = (components, options) => {
  const effectors = probedEffectors(components);
  const ledger = probedLedger(components.ledger);
  const executor = probedExecutor(components.executor);
  return realCoordinator({ ...components, effectors, ledger, executor }, options);
};

/** A machine that writes down what it makes. */
export const taskMachine: typeof realMachine = (options) => {
  const machine = realMachine(options);
  return told(probe().has("unfenced") ? unfenced(machine) : machine);
};

function probedLedger(ledger: Components["ledger"]): Components["ledger"] {
  return delegate(ledger, {
    async propose(command, options) {
      const message = readMessage(command);
      if (probe().has("early-ack") && message.type === "task-submit")
        return { index: 0, term: 0, replicas: 3, result: { status: "applied", ...NOWHERE } };
      const held = await reach(message, "asked");
      // What was held is as good as sent: whoever wakes up with it cannot call it back any more.
      const call = held ? { signal: AbortSignal.timeout(HELD_MS) } : options;
      const [outcome] = await Promise.all([ledger.propose(command, call), reach(message, "under-way")]);
      writeCompletion(message, outcome.result);
      await reach(message, "answered");
      return outcome;
    },
  });
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- part of a planted defect: no ledger has said so
const NOWHERE = { taskId: "", state: "ready", seq: 1 } as unknown as {
  readonly taskId: Extract<Answer, { readonly status: "applied" }>["taskId"];
  readonly state: "ready";
  readonly seq: number;
};
type Answer = Awaited<ReturnType<Components["ledger"]["propose"]>>["result"];

async function reach({ type, task }: Message, phase: "asked" | "under-way" | "answered"): Promise<boolean> {
  const moment = momentOf(type, phase);
  return moment !== undefined && (await probe().reach(moment, task));
}

function writeCompletion({ type, task, token, decision }: Message, result: Answer): void {
  if (type !== "task-complete" || task === undefined || token === undefined) return;
  const { at, start } = { at: probe().at(), start: probe().start };
  const refusal = result.status === "refused" ? result.refusal : undefined;
  const answer = refusal === undefined ? "committed" : refusal === "fenced" ? "fenced" : "refused";
  const address = decision === undefined ? {} : { decision };
  probe().write({ kind: "completion", at, peer: start.label, task, token, answer, ...address });
}

function probedExecutor(executor: Components["executor"]): Components["executor"] {
  return {
    async execute(task, options) {
      await probe().reach("run:started", task.id);
      options.signal.throwIfAborted();
      const result = await (probe().start.runs === "none" ? NO_RUN : executor.execute(task, options));
      await probe().reach("run:finished", task.id);
      return result;
    },
  };
}

const NO_RUN = {
  outcome: "succeeded",
  steps: [],
  artifacts: [],
  isolation: { engine: "none", level: "none", missing: [] },
} as const;
