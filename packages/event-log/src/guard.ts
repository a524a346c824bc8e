import { appendFileSync, closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { errorCode, type PeerId } from "@chorus/kernel";
import { openCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./contract.ts";
import { EventLogError } from "./errors.ts";
import type { Guard } from "./store.ts";

/** A note of the longest origin fits; a slot is one disk sector, so it is written whole or not at all. */
const SLOT_BYTES = 512;
const SLOTS = 2;

/**
 * Keeps the largest promised checkpoint in `<file>.guard`: two slots, written in turn, so that a write that is
 * cut short leaves the one before it. The log's own commits are not synced here, since the database has been;
 * a peer's word is.
 */
export function fileGuard(file: string, log: { readonly origin: string; readonly peer: PeerId }): Guard {
  const descriptor = onDisk(file, () =>
    openSync(`${file}.guard`, constants.O_RDWR | constants.O_CREAT, 0o600),
  );
  let next = 0;
  let promised = 0;
  return {
    async known() {
      const slots = await Promise.all(
        [...Array(SLOTS).keys()].map((slot) => readSlot(descriptor, slot, log)),
      );
      const notes = slots.filter((slot) => slot !== undefined && slot !== "damaged");
      // A slot can be damaged by a cut write; both cannot.
      if (notes.length === 0 && slots.includes("damaged"))
        throw new EventLogError("corrupt", { detail: { problem: "the guard file is damaged", file } });
      const largest = notes.toSorted((a, b) => b.size - a.size)[0];
      next = largest === undefined ? 0 : (slots.indexOf(largest) + 1) % SLOTS;
      promised = largest?.size ?? 0;
      return largest;
    },
    raise({ note, size }, { durable = false } = {}) {
      if (size <= promised) return;
      const slot = Buffer.alloc(SLOT_BYTES);
      slot.write(note);
      onDisk(file, () => {
        writeSync(descriptor, slot, 0, SLOT_BYTES, next * SLOT_BYTES);
        if (durable) fdatasyncSync(descriptor);
      });
      next = (next + 1) % SLOTS;
      promised = size;
    },
    accuse(notes) {
      onDisk(file, () =>
        appendFileSync(`${file}.evidence`, `${notes.join("\n")}\n`, { flush: true, mode: 0o600 }),
      );
    },
    close: () => closeSync(descriptor),
  };
}

function onDisk<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new EventLogError("disk", { cause, detail: { file } });
  }
}

async function readSlot(
  descriptor: number,
  slot: number,
  log: { readonly origin: string; readonly peer: PeerId },
): Promise<Checkpoint | "damaged" | undefined> {
  const bytes = Buffer.alloc(SLOT_BYTES);
  readSync(descriptor, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
  const note = bytes.toString("utf8").replace(/\0+$/, "");
  if (note === "") return undefined;
  try {
    return await openCheckpoint(note, log);
  } catch (error) {
    if (errorCode(error) !== "event-log/bad-checkpoint") throw error;
    return "damaged";
  }
}
