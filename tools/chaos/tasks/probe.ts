import { openSync, writeSync } from "node:fs";
import type { HistoryRecord } from "../../check-history/record.ts";
import { moment as now, type PeerRecord } from "../mesh/history.ts";
import type { Moment, Order, Report } from "./moments.ts";
import type { Mutant } from "./mutants.ts";
import type { AgentStart } from "./start.ts";

/** The harness's end inside a peer's process: holds its work at a moment, and writes its history. */
export class Probe {
  readonly start: AgentStart;
  readonly #descriptor: number;
  #armed: Extract<Order, { readonly order: "arm" }> | undefined;
  #held: PromiseWithResolvers<void> | undefined;

  constructor(start: AgentStart) {
    this.start = start;
    this.#descriptor = openSync(start.history, "a");
    process.on("message", (order: Order) => this.#obey(order));
  }

  /** Each line is in the file before the peer goes on; what write(2) has taken outlives the process. */
  write(record: HistoryRecord | Extract<PeerRecord, { readonly kind: "late" }>): void {
    writeSync(this.#descriptor, `${JSON.stringify(record)}\n`);
  }

  tell(report: Report): void {
    process.send?.(report);
  }

  /** Resolves at once unless the harness waits for this moment; then when it lets go. @returns whether it was held */
  async reach(moment: Moment, task?: string): Promise<boolean> {
    const armed = this.#armed;
    if (armed?.moment !== moment || (armed.task !== undefined && armed.task !== task)) return false;
    this.#armed = undefined;
    this.#held = Promise.withResolvers();
    this.tell({ report: "hit", id: armed.id, moment, task });
    await this.#held.promise;
    return true;
  }

  /** Whether a defect is planted here. */
  has(mutant: Mutant): boolean {
    return this.start.mutants.includes(mutant);
  }

  at(): number {
    return now();
  }

  #obey(order: Order): void {
    this.#held?.resolve();
    this.#held = undefined;
    this.#armed = order.order === "arm" ? order : undefined;
  }
}

let current: Probe | undefined;

export function openProbe(start: AgentStart): Probe {
  current = new Probe(start);
  return current;
}

/** The probe of this process. */
export function probe(): Probe {
  if (current === undefined) throw new Error("this process is no agent of the harness");
  return current;
}
