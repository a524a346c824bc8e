import { createHash } from "node:crypto";
import type { Artifact, CollectLimits, Collection, SkippedEntry } from "./contract.ts";
import { CollectFailedError } from "./errors.ts";
import { collisionKey, showName, splitName } from "./names.ts";

/** One entry as an engine lists it: nothing about it is trusted. */
export interface RawEntry {
  /** Relative to the collected folder. */
  readonly name: string;
  readonly type: "file" | "directory" | "link" | "special";
  readonly mode: number;
  /** What the listing claims; the content is measured. */
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Deeper, Docker's own archiver leaves entries out without a word (its paths end at PATH_MAX). */
const MAX_DEPTH = 128;

/** Applies the limits and the rules of names and types to `list()`, which is called once, on iteration. */
export function collection(
  list: (signal: AbortSignal | undefined) => AsyncIterable<RawEntry>,
  limits: CollectLimits = {},
): Collection {
  const skipped: SkippedEntry[] = [];
  let taken = false;
  return {
    skipped,
    [Symbol.asyncIterator]() {
      if (taken) throw new TypeError("a collection can be iterated only once");
      taken = true;
      return collect(list(limits.signal), { limits, skipped });
    },
  };
}

async function* collect(
  entries: AsyncIterable<RawEntry>,
  { limits, skipped }: { readonly limits: CollectLimits; readonly skipped: SkippedEntry[] },
): AsyncGenerator<Artifact> {
  const { maxBytes = 67_108_864 } = limits;
  const check = countWatch(limits);
  const seen = new Set<string>();
  let bytes = 0;
  for await (const entry of entries) {
    limits.signal?.throwIfAborted();
    const parts = splitName(entry.name) ?? [];
    if (parts.length === 0 && ROOT.test(entry.name)) continue;
    check(parts.length);
    const reason = verdict(entry, { parts, seen });
    if (reason === "file") {
      const content = await readBody(entry, maxBytes - bytes);
      bytes += content.length;
      yield artifact(parts.join("/"), entry.mode, content);
    } else if (reason !== "folder") skipped.push({ path: showName(entry.name), reason });
  }
}

/** The names that archives give to the collected folder itself. */
const ROOT = /^\.?\/?$/;

function countWatch({ maxFiles = 10_000, maxDepth = 32 }: CollectLimits): (parts: number) => void {
  const depth = Math.min(maxDepth, MAX_DEPTH);
  let count = 0;
  return (parts) => {
    if (++count > maxFiles) throw new CollectFailedError(`more than ${maxFiles} entries`);
    if (parts > depth + 1) throw new CollectFailedError(`deeper than ${depth} folders`);
  };
}

function verdict(
  entry: RawEntry,
  { parts, seen }: { readonly parts: readonly string[]; readonly seen: Set<string> },
): SkippedEntry["reason"] | "folder" | "file" {
  if (parts.length === 0) return "unsafe-name";
  if (entry.type === "directory") return "folder";
  if (entry.type === "link") return "link";
  if (entry.type === "special") return "special-file";
  const key = collisionKey(parts.join("/"));
  if (seen.has(key)) return "name-collision";
  seen.add(key);
  return "file";
}

async function readBody(entry: RawEntry, room: number): Promise<Uint8Array> {
  const tooBig = (): CollectFailedError =>
    new CollectFailedError(`more bytes than allowed, at ${showName(entry.name)}`);
  if (entry.size > room) throw tooBig();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of entry.body) {
    size += piece.length;
    if (size > room) throw tooBig();
    pieces.push(piece);
  }
  if (size !== entry.size) throw new CollectFailedError(`${showName(entry.name)} is not whole`);
  return new Uint8Array(Buffer.concat(pieces));
}

function artifact(path: string, mode: number, bytes: Uint8Array): Artifact {
  return {
    path,
    mode: (mode & 0o100) === 0 ? 0o644 : 0o755,
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    bytes,
  };
}
