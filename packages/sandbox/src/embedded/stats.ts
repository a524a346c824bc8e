import { readFileSync } from "node:fs";
import type { SandboxStats } from "../contract.ts";
import type { ResolvedSpec } from "../defaults.ts";
import { SandboxLostError } from "../errors.ts";
import type { Keeper } from "./keeper.ts";

/** Page size and clock ticks of every Linux that Node runs on by default. */
const PAGE_BYTES = 4096;
const TICK_MS = 10;

/** Read from the host's /proc; zeros where there is none. */
export async function statsOf(machine: Keeper, spec: ResolvedSpec): Promise<SandboxStats> {
  if (machine.disposed) throw new SandboxLostError("the sandbox was disposed");
  const { pid } = await machine.child();
  // After the name in brackets: field 14 and 15 are the times, 20 the threads, 24 the pages.
  const fields = stat(pid).slice(2).split(" ");
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  return {
    memoryBytes: field(24) * PAGE_BYTES,
    memoryLimitBytes: spec.memoryBytes,
    cpuMs: (field(14) + field(15)) * TICK_MS,
  };
}

function stat(pid: number | undefined): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")"));
  } catch {
    return "";
  }
}
