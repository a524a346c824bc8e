import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Loaded, Look, Order, Report } from "./process.ts";
import type { Setup } from "./queue.ts";
import { endProcess } from "./server.ts";

type Body = Order extends infer One ? (One extends Order ? Omit<One, "number"> : never) : never;

/** A held task began to run. */
export interface Held {
  readonly key: string;
  /** Nanoseconds of the machine's monotonic clock. */
  readonly at: bigint;
  readonly by: Child;
}

/** One process that submits and works. Disposing kills it. */
export class Child implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #number = 0;

  constructor(onHeld: (held: Held) => void = () => undefined) {
    this.#child = fork(join(import.meta.dirname, "process.ts"), {
      execArgv: ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning", "--expose-gc"],
    });
    this.#child.on("message", (report: Report) => {
      if (report.kind === "held") onHeld({ key: report.key, at: BigInt(report.at), by: this });
      else this.#waiting.get(report.number)?.resolve(report.value);
    });
    this.#child.once("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("a process of the bench ended"));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @returns where others reach it */
  async open(setup: Setup): Promise<string | undefined> {
    return (await this.#order<{ address?: string }>({ do: "open", setup })).address;
  }

  async ready(): Promise<void> {
    await this.#order({ do: "ready" });
  }

  load(lanes: number, ms: number): Promise<Loaded> {
    return this.#order({ do: "load", lanes, ms });
  }

  async hold(key: string): Promise<void> {
    await this.#order({ do: "hold", key });
  }

  async commit(key: string): Promise<void> {
    await this.#order({ do: "commit", key });
  }

  look(): Promise<Look> {
    return this.#order({ do: "look" });
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    await endProcess(this.#child);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #order<T>(order: Body): Promise<T> {
    const number = ++this.#number;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(number, answer);
    this.#child.send({ ...order, number });
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own process answers each order in kind
      return (await answer.promise) as T;
    } finally {
      this.#waiting.delete(number);
    }
  }
}
