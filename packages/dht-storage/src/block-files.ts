import { randomUUID } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "@chorus/kernel";
import { DirectoryError, DiskError } from "./errors.ts";
import { makeDirectory } from "./make-directory.ts";

/** Blocks as files `blocks/ab/abcd…`, whole or absent. */
export interface BlockFiles {
  /** The file and its name are on disk when this resolves. @throws DiskError */
  write(hash: string, bytes: Uint8Array): Promise<void>;
  /** @returns undefined when there is no such file. @throws DiskError */
  read(hash: string): Promise<Uint8Array | undefined>;
  remove(hash: string): Promise<void>;
}

/**
 * Opens the block files and removes what a killed process left half done: temporary files, and blocks whose
 * row was never written.
 */
export function blockFiles(directory: string, isKnown: (hash: string) => boolean): BlockFiles {
  const temporary = join(directory, "tmp");
  const blocks = join(directory, "blocks");
  try {
    rmSync(temporary, { recursive: true, force: true });
    for (const folder of [temporary, blocks]) makeDirectory(folder);
    removeUnknown(blocks, isKnown);
  } catch (cause) {
    throw new DirectoryError(directory, "is not writable", cause);
  }
  const folderOf = (hash: string): string => join(blocks, hash.slice(0, 2));
  const pathOf = (hash: string): string => join(folderOf(hash), hash);
  return {
    async write(hash, bytes) {
      const draft = join(temporary, randomUUID());
      try {
        if (await isMade(folderOf(hash))) await sync(blocks);
        await writeSynced(draft, bytes);
        await rename(draft, pathOf(hash));
        await sync(folderOf(hash));
      } catch (cause) {
        await rm(draft, { force: true }).catch(() => undefined);
        throw new DiskError("writing a block", cause);
      }
    },
    async read(hash) {
      try {
        return await readFile(pathOf(hash));
      } catch (cause) {
        if (errorCode(cause) === "ENOENT") return undefined;
        throw new DiskError("reading a block", cause);
      }
    },
    async remove(hash) {
      // A file that stays behind is removed when the store opens again.
      await rm(pathOf(hash), { force: true }).catch(() => undefined);
    },
  };
}

function removeUnknown(blocks: string, isKnown: (hash: string) => boolean): void {
  for (const folder of readdirSync(blocks))
    for (const name of readdirSync(join(blocks, folder)))
      if (!isKnown(name)) rmSync(join(blocks, folder, name), { force: true });
}

/** @returns false when the folder was there */
async function isMade(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(bytes);
  await file.datasync();
}

/** A rename is durable only once the directory that holds the name is. */
async function sync(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}
