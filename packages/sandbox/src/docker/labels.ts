import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** On every container and volume that this library makes, so that a forgotten one can be found. */
export const LABEL = "chorus.sandbox";
const OWNER = "chorus.sandbox.owner";

/** Labels of one sandbox made by this process. */
export function labelsOf(id: string): Record<string, string> {
  return { [LABEL]: id, [OWNER]: owner() };
}

/**
 * True only when the labels name a process of this very machine and boot that no longer exists: an owner elsewhere,
 * or in another container, cannot be judged from here.
 */
export function ownerIsDead(labels: Readonly<Record<string, string>>): boolean {
  const [host, boot, pid, start] = (labels[OWNER] ?? "").split("/");
  if (host !== hostname() || boot !== bootId() || pid === undefined || start === undefined) return false;
  if (boot === "") return false;
  return startOf(pid) !== start;
}

function owner(): string {
  return [hostname(), bootId(), process.pid, startOf("self")].join("/");
}

/** Empty where there is no Linux /proc; then no owner is ever judged dead. */
function bootId(): string {
  return read("/proc/sys/kernel/random/boot_id").trim();
}

/** The start time in clock ticks: a process id comes again, the pair does not. Empty when there is no such process. */
function startOf(pid: string): string {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
