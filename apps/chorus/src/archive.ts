import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { UsageError } from "./arguments.ts";

/** A folder as a tar archive, and what people want to know of it. */
export interface FolderArchive {
  readonly tar: Uint8Array;
  readonly files: readonly string[];
  readonly bytes: number;
}

/** Folders that are made from the others, or belong to one machine only. */
const LEFT_OUT = new Set([".git", ".hg", ".svn", "node_modules", ".chorus", "__pycache__", ".venv", ".nx"]);
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
 * anything is read.
 * @throws UsageError when the folder is missing, empty, or too large
 */
export async function archiveFolder(folder: string): Promise<FolderArchive> {
  const entries = await list(folder);
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  const tar = pack();
  const chunks = buffer(tar);
  for (const { name, size, mode, linkname } of entries) {
    const header = { name, size, mode, mtime: new Date(0) };
    if (linkname === undefined) tar.entry(header, await readFile(join(folder, name)));
    else tar.entry({ ...header, type: "symlink", linkname, size: 0 });
  }
  tar.finalize();
  return { tar: await chunks, files: entries.map(({ name }) => name), bytes };
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
