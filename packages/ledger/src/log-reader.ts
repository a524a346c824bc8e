import { follows, type Position } from "./chain.ts";
import type { LogStore, StoredEntry } from "./contract.ts";
import { CorruptError } from "./errors.ts";

/** The unharmed entries after a position, up to the first damaged one. @throws CorruptError when that is the very next */
export async function readAfter(
  store: LogStore,
  after: Position,
  limit: number,
): Promise<readonly StoredEntry[]> {
  const from = after.index + 1;
  // Where a part cannot be read as a whole, its entries are tried one by one.
  const entries = await (limit === 1
    ? store.read(from, 1)
    : store.read(from, limit).catch(() => store.read(from, 1)));
  if (entries.length === 0) throw new CorruptError("an entry is missing", from);
  const sound: StoredEntry[] = [];
  for (const entry of entries) {
    if (!follows(sound.at(-1) ?? after, entry)) break;
    sound.push(entry);
  }
  if (sound.length === 0) throw new CorruptError("an entry is damaged", from);
  return sound;
}
