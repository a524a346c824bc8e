import type { Fault, Run } from "./contract.ts";

/** Lines of the trace that are shown before the violation. */
const LINES = 40;

/** A run as text: its seed, its faults, the end of its trace if it was replayed, and what was violated. */
export function formatRun(run: Run): string {
  const { seed, nodes, durationMs, faults, trace, violation, events, hash } = run;
  const left = trace.length - LINES;
  return [
    `seed ${seed}, ${nodes} nodes, ${Math.round(durationMs)} ms, ${events} events, hash ${hash}`,
    `faults: ${faults.length === 0 ? "none" : ""}`,
    ...faults.map((fault) => `${String(fault.at).padStart(9)} ms  ${describeFault(fault)}`),
    ...(trace.length > 0 ? ["trace:"] : []),
    ...(left > 0 ? [`             (${left} lines before)`] : []),
    ...trace.slice(-LINES),
    violation === undefined
      ? "no violation"
      : `VIOLATED at ${violation.at.toFixed(1)} ms: ${violation.name}: ${violation.text}`,
  ].join("\n");
}

export function describeFault(fault: Fault): string {
  if (fault.kind === "action") return `action ${fault.name} at ${fault.node}`;
  return `${subject(fault)} for ${fault.forMs} ms`;
}

function subject(fault: Exclude<Fault, { readonly kind: "action" }>): string {
  if ("chance" in fault) return `${fault.kind} of ${Math.round(fault.chance * 100)} % of the messages`;
  if (!("rate" in fault || "unsynced" in fault) && "node" in fault) return `${fault.kind} of ${fault.node}`;
  switch (fault.kind) {
    case "crash": {
      const { node, unsynced, moment } = fault;
      return `crash of ${node}${moment === "at-sync" ? " in its next sync" : ""}, unsynced writes ${unsynced}, down`;
    }
    case "drift":
      return `clock of ${fault.node} at rate ${fault.rate}`;
    case "partition":
      return `partition of [${fault.side.join(" ")}] from the rest`;
    case "cut":
      return `cut from ${fault.from} to ${fault.to}`;
    case "slow":
      return `link from ${fault.from} to ${fault.to} slower by ${fault.byMs} ms`;
  }
}
