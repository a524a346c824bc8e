import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;

/**
 * Seconds of processor time that these processes and all that they started have used so far, in user and kernel mode:
 * unlike a rate it hardly depends on what else the machine does. NaN where there is no /proc.
 */
export function processorSeconds(roots: readonly number[]): number {
  const wanted = new Set(roots);
  let ticks = 0;
  // A child has a higher number than its parent until numbers wrap, and then it is missed rather than counted twice.
  for (const { pid, parent, used } of processes())
    if (wanted.has(pid) || wanted.has(parent)) {
      wanted.add(pid);
      ticks += used;
    }
  return roots.length === 0 ? Number.NaN : ticks / TICKS_PER_SECOND;
}

function processes() {
  return numbered()
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        // The name stands in brackets and may hold anything; what follows it is numbers.
        const fields = stat
          .slice(stat.lastIndexOf(")") + 2)
          .split(" ")
          .map(Number);
        const at = (place: number): number => fields[place] ?? 0;
        // utime, stime, and those of children that have ended; see proc_pid_stat(5), from field 3 on.
        return [{ pid, parent: at(1), used: at(11) + at(12) + at(13) + at(14) }];
      } catch {
        return [];
      }
    })
    .toSorted((a, b) => a.pid - b.pid);
}

function numbered(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}
