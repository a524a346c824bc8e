import { type Clean, partsOfCid } from "@chorus/kernel";
import type { CleanFile } from "../clean-run.ts";
import type { EffectSpec } from "../contract-effects.ts";
import type { TaskSpec } from "../contract-task.ts";
import { EffectFailedError } from "./effect-errors.ts";

/** What a run's files make of a task's declared effects. */
export interface PlannedEffect {
  readonly slot: string;
  readonly ordinal: number;
  readonly kind: string;
  readonly target: string;
  readonly payload: Clean<Uint8Array>;
  /** SHA-256 of the payload, lower-case hex. */
  readonly digest: string;
  readonly options?: Readonly<Record<string, string>>;
}

/**
 * Which effects a finished run is to have, in the order of the slots. A payload names one file; with a `*` it names
 * all that fit, by path, and what the `*` stood for stands in the target's `*` too. Nothing here depends on what a
 * model says.
 * @throws 'coordinator/effect-failed' for the whole run, before anything was done
 */
export function planEffects(spec: TaskSpec, files: readonly CleanFile[]): readonly PlannedEffect[] {
  return (spec.effects ?? []).flatMap((declared) => planSlot(declared, files));
}

function planSlot(declared: EffectSpec, files: readonly CleanFile[]): readonly PlannedEffect[] {
  const { slot, kind, options, times = 1, payload } = declared;
  const chosen = choose(payload, files);
  if (chosen.length === 0 && !payload.includes("*"))
    throw new EffectFailedError(slot, `the run left no clean file ${payload}`);
  if (chosen.length > times)
    throw new EffectFailedError(
      slot,
      `the run left ${chosen.length} files for it, and it may happen ${times} times`,
    );
  return chosen.map(({ file, part }, ordinal) => ({
    slot,
    ordinal,
    kind,
    target: targetOf(declared, part),
    payload: file.bytes,
    digest: Buffer.from(partsOfCid(file.cid).sha256).toString("hex"),
    ...(options === undefined ? {} : { options }),
  }));
}

interface Chosen {
  readonly file: CleanFile;
  /** What the pattern's `*` stood for. */
  readonly part: string;
}

function choose(pattern: string, files: readonly CleanFile[]): readonly Chosen[] {
  const [before, after] = splitOnce(pattern);
  if (after === undefined)
    return files.filter(({ path }) => path === pattern).map((file) => ({ file, part: "" }));
  const fits = ({ path }: CleanFile): boolean =>
    path.length >= before.length + after.length && path.startsWith(before) && path.endsWith(after);
  return files
    .filter(fits)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map((file) => ({ file, part: file.path.slice(before.length, file.path.length - after.length) }));
}

function targetOf({ target }: EffectSpec, part: string): string {
  const [before, after] = splitOnce(target);
  if (after === undefined) return target;
  return `${before}${part}${after}`;
}

/** At the first `*`. */
function splitOnce(pattern: string): readonly [string, string?] {
  const at = pattern.indexOf("*");
  return at < 0 ? [pattern] : [pattern.slice(0, at), pattern.slice(at + 1)];
}
