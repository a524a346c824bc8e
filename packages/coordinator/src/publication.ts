import { type Canonical, type Cid, cidOf, type Clean, encodeCanonical } from "@chorus/kernel";
import { canonicalOf, canonicalText } from "./canonical-of.ts";
import type { CleanFile, CleanRun, Manifest } from "./clean-run.ts";
import type { DecisionDraft, DecisionRecord, Evidence, Redactor, StoragePort } from "./contract-ports.ts";
import type { ArtifactRef, Lease, TaskId, TaskResult, TaskSpec } from "./contract-task.ts";

/** Room for a result in a ledger entry of 16 KiB, beside envelope, token and signature. */
const MAX_RESULT_BYTES = 12_288;
const MAX_EVIDENCE = 64;
const MAX_QUARANTINED = 16;
/** Linux's PATH_MAX; a path from elsewhere that is longer is only in the manifest. */
const MAX_PATH = 4096;
/** Longest `task` part of a UCXL address; 48 of the id's 52 characters keep 240 of its 256 bits. */
const NAME_LENGTH = 48;

/** The files that people look for first; they come first wherever only some can be named. */
const KNOWN_FILES = new Map<string, Evidence["rel"]>([
  ["report.json", "test"],
  ["output.log", "log"],
  ["changes.patch", "diff"],
]);

interface Author {
  readonly id: TaskId;
  readonly spec: TaskSpec;
  readonly principal: string;
  readonly lease: Lease;
}

/** How well the parts of a result are kept. */
export interface Stored {
  readonly signatures: Cid;
  /** The fewest copies of any part. */
  readonly replicas: number;
  readonly degraded: boolean;
}

/** What the decision record is made from. */
export function draftOf(
  task: Author,
  run: {
    readonly summary: CleanRun["summary"];
    readonly files: readonly CleanFile[];
    readonly manifest: Manifest;
    readonly redactor: Redactor;
    readonly createdAt: number;
  },
): DecisionDraft {
  const { id: taskId, spec, principal, lease } = task;
  const { cid, bytes } = run.manifest;
  const whole: Evidence = {
    rel: "artifact",
    cid,
    mediaType: "application/vnd.ipld.dag-cbor",
    size: bytes.length,
  };
  return {
    taskId,
    project: spec.project,
    name: spec.name ?? taskId.slice(0, NAME_LENGTH),
    goal: run.redactor.redactValue(spec.goal).value,
    principal,
    lease,
    result: run.summary,
    evidence: [whole, ...knownFirst(run.files).map(evidenceOf)].slice(0, MAX_EVIDENCE),
    createdAt: run.createdAt,
  };
}

/** The lane of this peer's decisions that the task's decision belongs to. */
export function laneOf({ id, spec }: Author): string {
  return `${spec.project}/${spec.name ?? id.slice(0, NAME_LENGTH)}`;
}

/** What this peer's own history says about the decision. */
export function logEntryOf(task: Author, record: DecisionRecord): Canonical {
  const { term, index } = task.lease.token;
  const { cid, address } = record;
  return { type: "decision-made", task: task.id, token: { term, index }, cid, address };
}

/** Stores every part of a result. Parts go one by one: a file is bounded, their sum is not. */
export async function storeAll(
  parts: {
    readonly files: readonly CleanFile[];
    readonly manifest: Manifest;
    readonly record: DecisionRecord;
    readonly redactor: Redactor;
  },
  storage: StoragePort,
  signal: AbortSignal,
): Promise<Stored> {
  const { files, manifest, record, redactor } = parts;
  const artifact = { class: "artifact", signal } as const;
  const decision = { class: "decision", signal } as const;
  const signatures = redactor.pass(record.signatures);
  const puts: [Clean<Uint8Array>, Parameters<StoragePort["put"]>[1]][] = [
    ...files.map(({ bytes }): (typeof puts)[number] => [bytes, { ...artifact, codec: "raw" }]),
    [manifest.bytes, { ...artifact, codec: "dag-cbor" }],
    [signatures, { ...decision, codec: "raw" }],
    [redactor.pass(record.bytes), { ...decision, codec: "dag-cbor" }],
  ];
  let replicas = Number.MAX_SAFE_INTEGER;
  let degraded = false;
  for (const [bytes, options] of puts) {
    const kept = await storage.put(bytes, options);
    replicas = Math.min(replicas, kept.replicas);
    degraded ||= kept.degraded;
  }
  return { signatures: await cidOf(signatures, "raw"), replicas, degraded };
}

/** What the ledger keeps of the run: as many artifacts as one entry holds, the rest by way of the manifest. */
export function resultOf(run: {
  readonly summary: CleanRun["summary"];
  readonly redactions: number;
  readonly manifest: Manifest;
  readonly record: DecisionRecord;
  readonly stored: Stored;
}): TaskResult {
  const { summary, redactions, manifest, record, stored } = run;
  const { signatures, replicas, degraded } = stored;
  const { outcome, reason, artifacts, quarantined } = summary;
  const result = {
    outcome,
    ...(reason === undefined ? {} : { reason: canonicalText(reason, 512) }),
    decision: { address: record.address, cid: record.cid, signatures },
    manifest: manifest.cid,
    artifactCount: artifacts.length,
    quarantined: quarantined.slice(0, MAX_QUARANTINED).map(shorten),
    quarantinedCount: quarantined.length,
    redactions,
    replicas,
    degraded,
  };
  const room = MAX_RESULT_BYTES - encodeCanonical(canonicalOf(result)).length;
  return { ...result, artifacts: fitting(knownFirst(artifacts), room) };
}

function fitting(artifacts: readonly ArtifactRef[], room: number): ArtifactRef[] {
  let left = room;
  return artifacts.filter((artifact) => {
    left -= encodeCanonical(canonicalOf(artifact)).length;
    return left > 0 && artifact.path.length <= MAX_PATH;
  });
}

function shorten<T extends { readonly path: string }>(item: T): T {
  return { ...item, path: canonicalText(item.path, 255) };
}

function evidenceOf({ path, cid, mediaType, size }: ArtifactRef): Evidence {
  return { rel: KNOWN_FILES.get(path) ?? "artifact", cid, mediaType, size };
}

function knownFirst<T extends { readonly path: string }>(files: readonly T[]): T[] {
  const names = [...KNOWN_FILES.keys()];
  const place = ({ path }: T): number => (KNOWN_FILES.has(path) ? names.indexOf(path) : names.length);
  return files.toSorted((a, b) => place(a) - place(b));
}
