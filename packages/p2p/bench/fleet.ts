import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer, Order } from "./contender.ts";

/** Which contender a fleet is made of. */
export type Kind = "ours" | "bare";

/** Child processes with nodes of one kind; disposing ends them. */
export interface Fleet extends AsyncDisposable {
  readonly ships: readonly Ship[];
}

/** One child process. */
export interface Ship {
  order(order: Order): Promise<Answer>;
}

/** Starts processes that have loaded their code and wait. */
export async function fleet(kind: Kind, processes: number): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), "bench-mesh-"));
  const children = Array.from({ length: processes }, () =>
    fork(join(import.meta.dirname, "worker.ts"), [kind], {
      execArgv: ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning", "--expose-gc"],
      env: { ...process.env, TMPDIR: folder },
    }),
  );
  await Promise.all(children.map((child) => once(child, "spawn")));
  const ships = children.map(shipOf);
  // An order without effect: answered when the code is loaded.
  await Promise.all(ships.map((ship) => ship.order({ do: "memory" })));
  return {
    ships,
    async [Symbol.asyncDispose]() {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null) return;
          const ended = once(child, "exit");
          child.kill("SIGKILL");
          await ended;
        }),
      );
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function shipOf(child: ChildProcess): Ship {
  const waiting: { readonly to: Order["do"]; readonly resolve: (answer: Answer) => void }[] = [];
  const failures: ((error: Error) => void)[] = [];
  child.on("message", (answer: Answer) => {
    const i = waiting.findIndex(({ to }) => to === answer.to);
    waiting.splice(i, 1)[0]?.resolve(answer);
  });
  child.once("exit", (code) => {
    for (const fail of failures) fail(new Error(`a process of the bench ended with ${String(code)}`));
  });
  return {
    order: (order) =>
      new Promise((resolve, reject) => {
        waiting.push({ to: order.do, resolve });
        failures.push(reject);
        child.send(order);
      }),
  };
}

/** Lets every node of a fleet find all others from one address. @returns milliseconds until every pair is connected */
export async function form({ ships }: Fleet, nodesEach: number): Promise<number> {
  const from = process.hrtime.bigint();
  const [first, ...rest] = ships;
  if (first === undefined) return 0;
  const { addresses = [] } = await first.order({ do: "start", nodes: nodesEach, bootstrap: [] });
  const bootstrap = addresses.slice(0, 1);
  await Promise.all(rest.map((ship) => ship.order({ do: "start", nodes: nodesEach, bootstrap })));
  const peers = ships.length * nodesEach - 1;
  const whole = await Promise.all(ships.map((ship) => ship.order({ do: "await-peers", peers })));
  return Math.max(...whole.map(({ at }) => Number(BigInt(at) - from) / 1e6));
}
