import { type Cid, cidOf, type Clean, encodeCanonical, errorCode } from "@chorus/kernel";
import { canonicalOf } from "./canonical-of.ts";
import type { EffectRecord } from "./contract-effects.ts";
import type { Redactor, RunResult, RunSummary } from "./contract-ports.ts";
import type { ArtifactRef } from "./contract-task.ts";

/** A file that holds no secret, ready to be stored under the hash that names it. */
export interface CleanFile extends ArtifactRef {
  readonly bytes: Clean<Uint8Array>;
}

/** A run after the scan: nothing in it is a secret that the scanner knows. */
export interface CleanRun {
  readonly summary: Clean<RunSummary>;
  readonly files: readonly CleanFile[];
  /** Secrets that were replaced in output and texts. */
  readonly redactions: number;
}

/** A result as canonical DAG-CBOR. */
export interface Manifest {
  readonly cid: Cid;
  readonly bytes: Clean<Uint8Array>;
}

/**
 * Scans a run. Texts are redacted; files are never rewritten: one that holds a secret stays behind, and the
 * summary names it with the rules that fired.
 */
export async function cleanRun(run: RunResult, redactor: Redactor): Promise<CleanRun> {
  const files: CleanFile[] = [];
  const quarantined: { path: string; rules: string[] }[] = [];
  for (const { path, mode, bytes, mediaType } of run.artifacts) {
    const passed = passOrUndefined(redactor, bytes);
    if (passed === undefined) quarantined.push({ path, rules: rulesIn(redactor, bytes) });
    else
      files.push({
        path,
        mode,
        mediaType,
        bytes: passed,
        size: bytes.length,
        cid: await cidOf(bytes, "raw"),
      });
  }
  const { artifacts: _, retryable: __, asks: ___, ...texts } = run;
  const artifacts = files.map(({ bytes: _bytes, ...reference }) => reference);
  const { value, findings } = redactor.redactValue<RunSummary>({ ...texts, artifacts, quarantined });
  return { summary: value, files, redactions: findings.length + (run.redactions ?? 0) };
}

/** The whole summary as one stored block, which the decision record and the ledger point at. */
export async function manifestOf(
  task: { readonly id: string; readonly attempt: number },
  run: { readonly summary: Clean<RunSummary>; readonly effects: readonly EffectRecord[] },
  redactor: Redactor,
): Promise<Manifest> {
  const { id, attempt } = task;
  const effects = run.effects.length === 0 ? {} : { effects: run.effects };
  const value = canonicalOf({ $type: "chorus.result/1", task: id, attempt, ...run.summary, ...effects });
  const bytes = redactor.pass(encodeCanonical(value));
  return { bytes, cid: await cidOf(bytes, "dag-cbor") };
}

function passOrUndefined(redactor: Redactor, bytes: Uint8Array): Clean<Uint8Array> | undefined {
  try {
    return redactor.pass(bytes);
  } catch (error) {
    if (errorCode(error) === "shhh/blocked") return undefined;
    throw error;
  }
}

function rulesIn(redactor: Redactor, bytes: Uint8Array): string[] {
  return [...new Set(redactor.scanBytes(bytes).map(({ rule }) => rule))].toSorted().slice(0, 16);
}
