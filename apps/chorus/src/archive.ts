import { randomBytes } from "node:crypto";
import { lstat, readdir, readFile, readlink, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { buffer } from "node:stream/consumers";
import { errorCode } from "@chorus/kernel";
import { createSentinel } from "@chorus/shhh";
import { type Pack, pack } from "tar-stream";
import { UsageError } from "./arguments.ts";

/** A folder as a tar archive, and what people want to know of it. */
export interface FolderArchive {
  readonly tar: Uint8Array;
  readonly files: readonly string[];
  readonly bytes: number;
  /** What is not in the archive, which is copied to other peers, and why. */
  readonly heldBack: readonly HeldBack[];
}

/** Something that stays where it is. */
export interface HeldBack {
  readonly name: string;
  readonly reason: string;
}

/** Folders that are made from the others, or belong to one machine only. */
const LEFT_OUT = new Set([".git", ".hg", ".svn", "node_modules", ".chorus", "__pycache__", ".venv", ".nx"]);
const sentinel = createSentinel({ key: randomBytes(32) });
const MAX_BYTES = 200 * 1_048_576;
const MAX_FILES = 20_000;

interface Entry {
  readonly name: string;
  readonly type: "file" | "directory" | "symlink";
  readonly size: number;
  readonly mode: number;
  readonly linkname?: string;
}

/**
 * Packs a folder in the order of its names, so that equal folders give equal bytes. Sizes are added up before
 * anything is read; a file with a secret, a link that leads outside and the like are left out and named.
 * @throws UsageError when the folder is missing, empty, unreadable or too large
 */
export async function archiveFolder(folder: string): Promise<FolderArchive> {
  try {
    return await archive(folder);
  } catch (error) {
    const { code, path } = fileProblem(error);
    if (code === undefined) throw error;
    throw new UsageError(`--source: cannot read ${JSON.stringify(path ?? folder)} (${code})`);
  }
}

async function archive(folder: string): Promise<FolderArchive> {
  const entries = await list(folder);
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  const tar = pack();
  const chunks = buffer(tar);
  const files: string[] = [];
  const heldBack: HeldBack[] = [];
  for (const entry of entries) {
    const content = entry.type === "file" ? await readFile(join(folder, entry.name)) : Buffer.alloc(0);
    const reason = reasonToHoldBack(entry, content);
    if (reason === undefined) add(tar, entry, content);
    if (reason !== undefined) heldBack.push({ name: entry.name, reason });
    else if (entry.type !== "directory") files.push(entry.name);
  }
  tar.finalize();
  return { tar: await chunks, files, bytes, heldBack };
}

function add(tar: Pack, { name, type, mode, linkname }: Entry, content: Buffer): void {
  const header = { name, type, mode, mtime: new Date(0) };
  if (type === "file") tar.entry({ ...header, size: content.length }, content);
  else tar.entry(linkname === undefined ? header : { ...header, linkname });
}

function reasonToHoldBack({ name, linkname }: Entry, content: Uint8Array): string | undefined {
  if (/\p{Cc}|\\|\uFFFD/u.test(name)) return "a name that not every system can hold";
  if (linkname !== undefined && leadsOutside(name, linkname)) return "a link that leads outside";
  const rules = new Set(sentinel.scanBytes(content).map(({ rule }) => rule));
  return rules.size === 0 ? undefined : `a secret: ${[...rules].join(", ")}`;
}

function leadsOutside(name: string, linkname: string): boolean {
  return posix.isAbsolute(linkname) || posix.join(posix.dirname(name), linkname).split("/")[0] === "..";
}

async function list(folder: string): Promise<Entry[]> {
  const info = await stat(folder).catch(() => undefined);
  if (info === undefined) throw new UsageError(`--source: there is no folder ${folder}`);
  if (!info.isDirectory()) throw new UsageError(`--source: ${folder} is not a folder`);
  const entries: Entry[] = [];
  let bytes = 0;
  for await (const entry of walk(folder, "")) {
    entries.push(entry);
    bytes += entry.size;
    if (bytes > MAX_BYTES || entries.length > MAX_FILES)
      throw new UsageError(
        `--source: ${folder} holds more than ${MAX_BYTES / 1_048_576} MB or ${MAX_FILES} files; ` +
          "name a smaller folder (node_modules, .git and the like are left out by themselves)",
      );
  }
  if (!entries.some(({ type }) => type === "file")) throw new UsageError(`--source: ${folder} has no files`);
  return entries;
}

async function* walk(root: string, at: string): AsyncGenerator<Entry> {
  const names = await readdir(join(root, at));
  for (const leaf of names.toSorted()) {
    if (LEFT_OUT.has(leaf)) continue;
    const name = at === "" ? leaf : `${at}/${leaf}`;
    const path = join(root, name);
    const info = await lstat(path);
    const entry = { name, size: 0, mode: info.mode & 0o755 };
    if (info.isFile()) yield { ...entry, type: "file", size: info.size };
    if (info.isSymbolicLink()) yield { ...entry, type: "symlink", linkname: await readlink(path) };
    if (info.isDirectory()) yield { ...entry, type: "directory" };
    if (info.isDirectory()) yield* walk(root, name);
  }
}

function fileProblem(error: unknown): { code?: string; path?: string } {
  const code = errorCode(error);
  const path = error instanceof Error && "path" in error ? error.path : undefined;
  return {
    ...(code === undefined ? {} : { code }),
    ...(typeof path === "string" ? { path } : {}),
  };
}
