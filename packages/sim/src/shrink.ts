import type { Fault, Plan, Run, Target } from "./contract.ts";

/** More runs than this are not worth a smaller trace. */
const MAX_RUNS = 2000;

/** Delta debugging (Zeller and Hildebrandt 2002) over the faults, then fewer nodes, simpler faults, less time. */
export function shrinkRun(failed: Run, run: (plan: Plan) => Run): Run {
  const name = failed.violation?.name;
  if (name === undefined) return failed;
  const search = new Search(failed, (plan) => {
    const again = run(plan);
    return again.violation?.name === name ? again : undefined;
  });
  return search.smallest();
}

class Search {
  #best: Run;
  #runs = 0;
  readonly #fails: (plan: Plan) => Run | undefined;

  constructor(first: Run, fails: (plan: Plan) => Run | undefined) {
    this.#best = first;
    this.#fails = fails;
  }

  smallest(): Run {
    let before: Run | undefined;
    while (before !== this.#best && this.#runs < MAX_RUNS) {
      before = this.#best;
      this.#dropLate();
      this.#dropFaults();
      this.#dropNodes();
      this.#moveUp();
      this.#simplify();
    }
    return this.#best;
  }

  /** Takes a plan over if it still fails, and before a moment if that is asked. */
  #try(change: Partial<Plan>, before = Infinity): boolean {
    if (this.#runs++ >= MAX_RUNS) return false;
    const { seed, nodes, durationMs, faults } = this.#best;
    const found = this.#fails({ seed, nodes, durationMs, faults, ...change });
    if (found?.violation === undefined || found.violation.at >= before) return false;
    this.#best = found;
    return true;
  }

  /** What comes after the violation had no part in it. */
  #dropLate(): void {
    const { violation, faults, durationMs } = this.#best;
    const end = Math.min(durationMs, Math.ceil(violation?.at ?? durationMs));
    const early = faults.filter(({ at }) => at <= end);
    if (end < durationMs || early.length < faults.length) this.#try({ durationMs: end, faults: early });
  }

  #dropFaults(): void {
    let size = Math.ceil(this.#best.faults.length / 2);
    while (size >= 1) {
      let dropped = false;
      for (let from = this.#best.faults.length - size; from > -size; from -= size)
        dropped = this.#try({ faults: this.#best.faults.toSpliced(Math.max(0, from), size) }) || dropped;
      if (size === 1 && !dropped) return;
      size = Math.max(1, Math.floor(size / 2));
      if (this.#best.faults.length === 0 || this.#runs >= MAX_RUNS) return;
    }
  }

  #dropNodes(): void {
    for (let gone = this.#best.nodes - 1; gone >= 0 && this.#best.nodes > 1; gone--) {
      const { nodes, faults } = this.#best;
      const left = faults.map((fault) => without(fault, gone)).filter((fault) => fault !== undefined);
      this.#try({ nodes: nodes - 1, faults: left });
    }
  }

  /** Faults that come sooner leave less to read before them. */
  #moveUp(): void {
    for (const share of [8, 4, 2]) {
      const first = Math.min(...this.#best.faults.map(({ at }) => (at === 0 ? Infinity : at)));
      const by = Math.floor(first - first / share);
      if (!Number.isFinite(by) || by < 100) return;
      const faults = this.#best.faults.map((fault) => ({ ...fault, at: fault.at === 0 ? 0 : fault.at - by }));
      if (this.#try({ faults }, this.#best.violation?.at)) return;
    }
  }

  #simplify(): void {
    for (let index = 0; index < this.#best.faults.length; index++)
      for (const change of changes) {
        const fault = this.#best.faults[index];
        const simpler = fault && change(fault);
        if (simpler !== undefined) this.#try({ faults: this.#best.faults.with(index, simpler) });
      }
  }
}

/** Each makes a fault smaller or easier to read; undefined when there is nothing to change. */
const changes: readonly ((fault: Fault) => Fault | undefined)[] = [
  (fault) => (fault.kind === "crash" && fault.moment !== "now" ? { ...fault, moment: "now" } : undefined),
  (fault) =>
    fault.kind === "crash" && fault.unsynced !== "kept" ? { ...fault, unsynced: "kept" } : undefined,
  (fault) =>
    fault.kind === "crash" && fault.unsynced === "torn" ? { ...fault, unsynced: "lost" } : undefined,
  (fault) => shorter(fault, 4),
  (fault) => shorter(fault, 2),
  (fault) => rounded(fault, 1000),
  (fault) => rounded(fault, 100),
  (fault) => rounded(fault, 10),
];

function shorter(fault: Fault, times: number): Fault | undefined {
  if (fault.kind === "action" || fault.forMs < 2 * times) return undefined;
  return { ...fault, forMs: Math.ceil(fault.forMs / times) };
}

function rounded(fault: Fault, to: number): Fault | undefined {
  const down = (ms: number): number => (ms < to ? ms : ms - (ms % to));
  const at = down(fault.at);
  if (fault.kind === "action") return at === fault.at ? undefined : { ...fault, at };
  const forMs = down(fault.forMs);
  return at === fault.at && forMs === fault.forMs ? undefined : { ...fault, at, forMs };
}

/** The fault in a mesh without that node, where those behind it move up; undefined when it was about it. */
function without(fault: Fault, gone: number): Fault | undefined {
  const moved = (target: Target): Target => (target === "leader" || target < gone ? target : target - 1);
  if (fault.kind === "partition") {
    const side = fault.side.filter((target) => target !== gone).map(moved);
    return side.length > 0 ? { ...fault, side } : undefined;
  }
  if ("node" in fault) return fault.node === gone ? undefined : { ...fault, node: moved(fault.node) };
  if (!("from" in fault)) return fault;
  const { from, to } = fault;
  return from === gone || to === gone ? undefined : { ...fault, from: moved(from), to: moved(to) };
}
