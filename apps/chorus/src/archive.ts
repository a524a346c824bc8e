import { randomBytes } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { createSentinel } from "@chorus/shhh";
import { pack } from "tar-stream";
import { UsageError } from "./arguments.ts";

/** A folder as a tar archive, and what people want to know of it. */
export interface FolderArchive {
  readonly tar: Uint8Array;
  readonly files: readonly string[];
  readonly bytes: number;
  /** Files that hold a secret: they are not in the archive, since it is copied to other peers. */
  readonly heldBack: readonly { readonly name: string; readonly rules: readonly string[] }[];
}

/** Folders that are made from the others, or belong to one machine only. */
const LEFT_OUT = new Set([".git", ".hg", ".svn", "node_modules", ".chorus", "__pycache__", ".venv", ".nx"]);
const sentinel = createSentinel({ key: randomBytes(32) });
const MAX_BYTES = 200 * 1_048_576;
const MAX_FILES = 20_000;

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly linkname?: string;
}

/**
 * Packs a folder in the order of its names, so that equal folders give equal bytes. Sizes are added up before
 * anything is read; a file with a secret is left out and named.
 * @throws UsageError when the folder is missing, empty, or too large
 */
export async function archiveFolder(folder: string): Promise<FolderArchive> {
  const entries = await list(folder);
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  const tar = pack();
  const chunks = buffer(tar);
  const files: string[] = [];
  const heldBack: { name: string; rules: string[] }[] = [];
  for (const { name, mode, linkname } of entries) {
    const header = { name, mode, mtime: new Date(0) };
    const content = linkname === undefined ? await readFile(join(folder, name)) : Buffer.alloc(0);
    const rules = sentinel.scanBytes(content).map(({ rule }) => rule);
    if (rules.length > 0) heldBack.push({ name, rules: [...new Set(rules)] });
    else files.push(name);
    if (rules.length > 0) continue;
    if (linkname === undefined) tar.entry({ ...header, size: content.length }, content);
    else tar.entry({ ...header, type: "symlink", linkname, size: 0 });
  }
  tar.finalize();
  return { tar: await chunks, files, bytes, heldBack };
}

async function list(folder: string): Promise<Entry[]> {
  const info = await lstat(folder).catch(() => undefined);
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
  if (entries.length === 0) throw new UsageError(`--source: ${folder} is empty`);
  return entries;
}

async function* walk(root: string, at: string): AsyncGenerator<Entry> {
  const names = await readdir(join(root, at));
  for (const leaf of names.toSorted()) {
    if (LEFT_OUT.has(leaf)) continue;
    const name = at === "" ? leaf : `${at}/${leaf}`;
    const path = join(root, name);
    const info = await lstat(path);
    if (info.isDirectory()) yield* walk(root, name);
    else if (info.isFile()) yield { name, size: info.size, mode: info.mode & 0o755 };
    else if (info.isSymbolicLink()) yield { name, size: 0, mode: 0o777, linkname: await readlink(path) };
  }
}
