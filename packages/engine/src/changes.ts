import { formatPatch, structuredPatch, type StructuredPatch } from "diff";
import type { CollectedFile } from "./contract.ts";
import { decodeText, type Tree } from "./tree.ts";

/** What commands did to the working tree: paths sorted, regular files only. */
export interface Changes {
  /** Added and modified files as they are now. */
  readonly files: readonly CollectedFile[];
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly deleted: readonly string[];
}

/** Folders that tools make; what is new in them is no change of the project. */
const PRODUCTS =
  /(?:^|\/)(?:\.git|node_modules|__pycache__|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.venv|venv|\.tox|\.nyc_output|\.cargo|\.npm|\.cache)\/|\.pyc$/;
const CONTEXT_LINES = 3;
/** Beyond these a file is replaced whole: comparing is quadratic in the number of differences. */
const MAX_COMPARED_BYTES = 2 * 1024 * 1024;
const MAX_EDITS = 5000;

/** Follows the files that come out of the working tree one by one. */
export class ChangeTracker {
  readonly #before: Tree;
  readonly #changed: CollectedFile[] = [];
  readonly #seen = new Set<string>();

  constructor(before: Tree) {
    this.#before = before;
  }

  /** Whether the file is new or differs; to be asked once for every file. */
  differs(file: CollectedFile): boolean {
    this.#seen.add(file.path);
    const before = this.#before.get(file.path);
    if (before === undefined && PRODUCTS.test(file.path)) return false;
    return !(
      before?.type === "file" &&
      before.executable === isExecutable(file) &&
      Buffer.compare(before.bytes, file.bytes) === 0
    );
  }

  keep(file: CollectedFile): void {
    this.#changed.push(file);
  }

  finish(): Changes {
    const files = this.#changed.toSorted((a, b) => compare(a.path, b.path));
    const isNew = ({ path }: CollectedFile): boolean => this.#before.get(path)?.type !== "file";
    const deleted = Array.from(this.#before)
      .filter(([path, { type }]) => type === "file" && !this.#seen.has(path))
      .map(([path]) => path)
      .sort(compare);
    return {
      files,
      added: files.filter(isNew).map(({ path }) => path),
      modified: files.filter((file) => !isNew(file)).map(({ path }) => path),
      deleted,
    };
  }
}

/** The changes as a unified diff in git's form, for `git apply` and `patch -p1`; binary files are only noted. */
export function patchOf(before: Tree, changes: Changes): string {
  const after = new Map(changes.files.map((file) => [file.path, file]));
  const paths = [...after.keys(), ...changes.deleted].sort(compare);
  return paths.map((path) => filePatch(path, { before, after: after.get(path) })).join("");
}

interface Sides {
  readonly before: Tree;
  readonly after: CollectedFile | undefined;
}

function filePatch(path: string, { before, after }: Sides): string {
  const old = before.get(path);
  const oldFile = old?.type === "file" ? old : undefined;
  const [oldText, newText] = [textOr(oldFile?.bytes), textOr(after?.bytes)];
  const isBinary = oldText === undefined || newText === undefined;
  const oldFileName = oldFile === undefined ? "/dev/null" : `a/${path}`;
  const newFileName = after === undefined ? "/dev/null" : `b/${path}`;
  const patch = formatPatch({
    isGit: true,
    oldFileName,
    newFileName,
    oldHeader: undefined,
    newHeader: undefined,
    hunks: isBinary ? [] : hunksOf(oldText, newText),
    ...modes(oldFile && modeOf(oldFile.executable), after && modeOf(isExecutable(after))),
  });
  return isBinary ? `${patch}Binary files ${oldFileName} and ${newFileName} differ\n` : patch;
}

/** What git says about a file's coming, going and permissions; nothing when they stay. */
function modes(oldMode: string | undefined, newMode: string | undefined): Partial<StructuredPatch> {
  if (oldMode === undefined) return { isCreate: true, newMode: newMode ?? modeOf(false) };
  if (newMode === undefined) return { isDelete: true, oldMode };
  return oldMode === newMode ? {} : { oldMode, newMode };
}

function hunksOf(oldText: string, newText: string): StructuredPatch["hunks"] {
  if (oldText.length + newText.length <= MAX_COMPARED_BYTES) {
    const options = { context: CONTEXT_LINES, maxEditLength: MAX_EDITS };
    const patch = structuredPatch("a", "b", oldText, newText, undefined, undefined, options);
    if (patch !== undefined) return patch.hunks;
  }
  const [oldLines, newLines] = [linesOf(oldText, "-"), linesOf(newText, "+")];
  const lines = [...oldLines.lines, ...newLines.lines];
  return [{ oldStart: 1, oldLines: oldLines.count, newStart: 1, newLines: newLines.count, lines }];
}

function linesOf(text: string, sign: string): { lines: string[]; count: number } {
  if (text === "") return { lines: [], count: 0 };
  const isClosed = text.endsWith("\n");
  const lines = (isClosed ? text.slice(0, -1) : text).split("\n").map((line) => sign + line);
  return { lines: isClosed ? lines : [...lines, "\\ No newline at end of file"], count: lines.length };
}

/** The text of a side; the empty text for a side that is not there; undefined for binary. */
function textOr(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? "" : decodeText(bytes);
}

function isExecutable({ mode }: CollectedFile): boolean {
  return (mode & 0o100) !== 0;
}

function modeOf(isExecutable: boolean): string {
  return isExecutable ? "100755" : "100644";
}

/** By code units: the same on every machine, whatever its language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
