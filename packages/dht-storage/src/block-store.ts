import type { DatabaseSync } from "node:sqlite";
import type { Clock, Logger } from "@chorus/kernel";
import { sha256Hex } from "./blob-envelope.ts";
import { blockFiles } from "./block-files.ts";
import { blockRows, type GoneBlock } from "./block-rows.ts";
import { FullError } from "./errors.ts";
import { turns } from "./turns.ts";

/** Measured: below this SQLite is quicker than a file, above it slower. */
const INLINE_BYTES = 65_536;
/** Blocks that belong to nothing may be part of a transfer that goes on later, for so long. */
const STAGED_MS = 86_400_000;

/** Ciphertext on this disk, by hash. */
export interface BlockStore {
  has(hash: string): boolean;
  /** On disk when this resolves; twice is as once. @throws FullError, DiskError */
  add(hash: string, bytes: Uint8Array): Promise<void>;
  /** Room for so many bytes more? Removes what has expired when there is not. @throws FullError */
  reserve(bytes: number): Promise<void>;
  /** Bytes with the right hash, else undefined: a damaged block is dropped, with the envelopes that need it. */
  read(hash: string): Promise<Uint8Array | undefined>;
  /** Removes those blocks that no envelope needs. */
  release(hashes: readonly string[]): Promise<void>;
  /** Removes expired envelopes, blocks nobody needs, and abandoned transfers. */
  sweep(): Promise<void>;
  /** Ciphertext bytes held. */
  used(): number;
}

export interface BlockStoreComponents {
  readonly database: DatabaseSync;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function blockStore(
  { database, clock, logger }: BlockStoreComponents,
  { directory, capacityBytes }: { readonly directory: string; readonly capacityBytes: number },
): BlockStore {
  const rows = blockRows(database);
  const has = (hash: string): boolean => rows.find(hash) !== undefined;
  const files = blockFiles(directory, has);
  // A file and its row are made and removed together, or a late removal could take a new file away.
  const inTurn = turns();
  let used = rows.totalBytes();
  const room = (bytes: number): boolean => used + bytes <= capacityBytes;
  const removeFiles = async (gone: readonly GoneBlock[]): Promise<void> => {
    used -= gone.reduce((sum, { size }) => sum + size, 0);
    for (const { hash, isFile } of gone)
      if (isFile) await inTurn(hash, async () => (has(hash) ? undefined : files.remove(hash)));
  };
  const sweep = async (): Promise<void> => {
    const now = clock.now();
    await removeFiles(rows.sweep(now, now - STAGED_MS));
  };
  const reserve = async (bytes: number): Promise<void> => {
    if (!room(bytes)) await sweep();
    if (!room(bytes)) throw new FullError({ wanted: bytes, used, capacity: capacityBytes });
  };
  return {
    has,
    used: () => used,
    reserve,
    sweep,
    add: (hash, bytes) =>
      inTurn(hash, async () => {
        if (has(hash)) return;
        await reserve(bytes.length);
        const inline = bytes.length <= INLINE_BYTES ? bytes : null;
        if (inline === null) await files.write(hash, bytes);
        if (rows.insert({ hash, size: bytes.length, inline, added: clock.now() })) used += bytes.length;
      }),
    async read(hash) {
      const row = rows.find(hash);
      if (row === undefined) return undefined;
      const bytes = row.inline ?? (await files.read(hash));
      if (bytes !== undefined && sha256Hex(bytes) === hash) return bytes;
      if (has(hash)) {
        logger.error("a block on this disk is damaged and was dropped", { hash });
        await removeFiles(rows.removeDamaged(hash));
      }
      return undefined;
    },
    release: (hashes) => removeFiles(rows.removeUnneeded(hashes)),
  };
}
