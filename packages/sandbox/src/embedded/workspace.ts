import type { RawEntry } from "../collector.ts";
import { FOLDERS, type ResolvedSpec } from "../defaults.ts";
import { BadArchiveError, CollectFailedError } from "../errors.ts";
import { incoming } from "../tar.ts";
import type { DoneMessage, NodeEntry } from "./messages.ts";

interface Kept {
  readonly entry: NodeEntry;
  readonly content: Uint8Array;
}

/** Entries with the contents of the files among them, in order. */
export interface Bundle {
  readonly entries: readonly NodeEntry[];
  readonly contents: readonly Uint8Array[];
}

/** The files of a sandbox as they were after the last command that ended by itself. */
export interface Workspace {
  put(
    target: "input" | "data",
    source: {
      readonly tar: AsyncIterable<Uint8Array> | Uint8Array;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<Bundle>;
  /** Takes over what a command changed. @returns what is wrong with it, if anything; then nothing was taken */
  update(done: DoneMessage, contents: Uint8Array): string | undefined;
  list(from: "output" | "data"): AsyncGenerator<RawEntry>;
  all(): Bundle;
}

/** Empty folders, each bounded by the spec. */
export function workspace(spec: ResolvedSpec): Workspace {
  const kept = new Map<string, Kept>();
  const bounds = { input: spec.inputBytes, data: spec.dataBytes, output: spec.outputBytes };
  return {
    async put(target, { tar, signal }) {
      const room = { bytes: bounds[target] - usage(kept, FOLDERS[target]).bytes, files: spec.files };
      const bundle = await unpack(tar, {
        folder: FOLDERS[target],
        readOnly: target === "input",
        room,
        signal,
      });
      for (const one of bundle) kept.set(one.entry.path, one);
      return bundled(bundle);
    },
    update(done, contents) {
      const next = new Map(kept);
      const problem = apply(next, done, contents);
      if (problem !== undefined) return problem;
      const used = [...next.values()].reduce((sum, { content }) => sum + content.length, 0);
      // The interpreter's own bound; more can only come from a child that was taken over.
      if (used > totalBytes(spec)) return "the interpreter reported more than there is room for";
      kept.clear();
      for (const [path, one] of next) kept.set(path, one);
      return undefined;
    },
    list: (from) => list([...kept.values()], FOLDERS[from]),
    all: () => bundled([...kept.values()]),
  };
}

/** One bound for all folders together: that is what the interpreter can enforce while a command runs. */
export function totalBytes(spec: ResolvedSpec): number {
  return spec.inputBytes + spec.dataBytes + spec.outputBytes;
}

function usage(kept: ReadonlyMap<string, Kept>, folder: string): { bytes: number; files: number } {
  let bytes = 0;
  let files = 0;
  for (const [path, { content }] of kept) {
    if (!path.startsWith(`${folder}/`)) continue;
    bytes += content.length;
    files++;
  }
  return { bytes, files };
}

async function unpack(
  tar: AsyncIterable<Uint8Array> | Uint8Array,
  request: {
    readonly folder: string;
    readonly readOnly: boolean;
    readonly room: { bytes: number; files: number };
    readonly signal: AbortSignal | undefined;
  },
): Promise<Kept[]> {
  const { folder, readOnly, room, signal } = request;
  const bundle: Kept[] = [];
  for await (const { path, type, executable, size, linkname, body } of incoming(tar)) {
    signal?.throwIfAborted();
    room.bytes -= size;
    if (room.bytes < 0 || --room.files < 0) throw new BadArchiveError(`it does not fit into ${folder}`);
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    const content = new Uint8Array(Buffer.concat(pieces));
    const mode = (executable || type === "directory" ? 0o755 : 0o644) & (readOnly ? 0o555 : 0o777);
    const target = linkname === undefined ? {} : { target: linkname };
    bundle.push({
      entry: { path: `${folder}/${path}`, type, mode, size: content.length, ...target },
      content,
    });
  }
  return bundle;
}

function apply(kept: Map<string, Kept>, done: DoneMessage, contents: Uint8Array): string | undefined {
  for (const path of done.removed) if (isOurs(path)) kept.delete(path);
  let at = 0;
  for (const entry of done.changed) {
    if (!isOurs(entry.path)) return "the interpreter reported a file outside the workspace";
    kept.set(entry.path, { entry, content: contents.slice(at, at + entry.size) });
    at += entry.size;
  }
  return at === contents.length ? undefined : "the interpreter's report is not whole";
}

function isOurs(path: string): boolean {
  return path.startsWith(`${FOLDERS.data}/`) || path.startsWith(`${FOLDERS.output}/`);
}

function bundled(list: readonly Kept[]): Bundle {
  return { entries: list.map(({ entry }) => entry), contents: list.map(({ content }) => content) };
}

const TYPES = { file: "file", directory: "directory", symlink: "link" } as const;

async function* list(kept: readonly Kept[], folder: string): AsyncGenerator<RawEntry> {
  for (const { entry, content } of kept) {
    if (!entry.path.startsWith(`${folder}/`)) continue;
    const name = entry.path.slice(folder.length + 1);
    if (name === "") throw new CollectFailedError("a file has no name");
    yield { name, type: TYPES[entry.type], mode: entry.mode, size: content.length, body: once(content) };
  }
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
