import type { DatabaseSync } from "node:sqlite";
import { parsePeerId, type PeerId } from "@chorus/kernel";
import { textOf, transaction } from "./database.ts";

/** Copies that a thing should have in the end, this peer's included (R). */
export const WANTED_COPIES = 3;

/**
 * What this peer has put and still owes copies of, and which storage peers it has ever talked to. An item is
 * forgotten once it has {@link WANTED_COPIES}.
 */
export interface Copies {
  /** Starts anew: whoever held an earlier version of the item does not count. Call it in a transaction. */
  owe(item: string): void;
  /** Remembers which other peers hold the item. */
  settle(item: string, holders: readonly PeerId[]): void;
  forget(item: string): void;
  isOwed(item: string): boolean;
  owed(): readonly string[];
  holders(item: string): readonly PeerId[];
  /** Notes that a peer speaks the storage protocol. */
  met(peer: PeerId): void;
  /** Storage peers ever met. */
  members(): ReadonlySet<PeerId>;
}

export function copies(database: DatabaseSync): Copies {
  const owe = database.prepare("INSERT OR IGNORE INTO missing(item) VALUES (?)");
  const unowe = database.prepare("DELETE FROM missing WHERE item = ?");
  const isOwed = database.prepare("SELECT 1 FROM missing WHERE item = ?");
  const owed = database.prepare("SELECT item FROM missing ORDER BY item");
  const add = database.prepare("INSERT OR IGNORE INTO copies(item, peer) VALUES (?, ?)");
  const clear = database.prepare("DELETE FROM copies WHERE item = ?");
  const list = database.prepare("SELECT peer FROM copies WHERE item = ?");
  const meet = database.prepare("INSERT OR IGNORE INTO members(peer) VALUES (?)");
  const members = new Set(
    database
      .prepare("SELECT peer FROM members")
      .all()
      .map((row) => parsePeerId(row["peer"])),
  );
  const forget = (item: string): void => {
    unowe.run(item);
    clear.run(item);
  };
  return {
    owe: (item) => {
      owe.run(item);
      clear.run(item);
    },
    settle: (item, holders) =>
      transaction(database, () => {
        if (holders.length + 1 >= WANTED_COPIES) forget(item);
        else if (isOwed.get(item) !== undefined) for (const peer of holders) add.run(item, peer);
      }),
    forget: (item) => transaction(database, () => forget(item)),
    isOwed: (item) => isOwed.get(item) !== undefined,
    owed: () => owed.all().map((row) => textOf(row, "item")),
    holders: (item) => list.all(item).map((row) => parsePeerId(row["peer"])),
    met: (peer) => {
      if (members.has(peer)) return;
      transaction(database, () => meet.run(peer));
      members.add(peer);
    },
    members: () => members,
  };
}
