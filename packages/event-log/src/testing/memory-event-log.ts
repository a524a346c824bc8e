import { type Clock, type Logger, type Signer, silentLogger, systemClock } from "@chorus/kernel";
import type { Checkpoint, EventLog, EventLogOptions } from "../contract.ts";
import { EventLogError } from "../errors.ts";
import { openLog } from "../log.ts";
import type { Guard, LogStore, Row } from "../store.ts";

/** A whole event log, proofs and signatures included, that is gone when it is disposed. */
export function memoryEventLog(
  components: { readonly signer: Signer; readonly clock?: Clock; readonly logger?: Logger },
  options: Omit<EventLogOptions, "file">,
): Promise<EventLog> {
  const { signer, clock = systemClock, logger = silentLogger } = components;
  return openLog({ signer, clock, logger, store: memoryStore(), guard: memoryGuard() }, options);
}

function memoryStore(): LogStore {
  const entries: Row[] = [];
  let newest: string | undefined;
  let isClosed = false;
  const assertOpen = (): void => {
    if (isClosed) throw new EventLogError("closed");
  };
  return {
    size: () => entries.length,
    note: () => newest,
    rows(from, limit) {
      assertOpen();
      return entries.slice(from, from + limit);
    },
    row(seq) {
      assertOpen();
      return entries[seq];
    },
    commit(rows, note) {
      assertOpen();
      entries.push(...rows);
      newest = note;
    },
    problems: () => [],
    close: () => {
      isClosed = true;
    },
  };
}

function memoryGuard(): Guard {
  let known: Checkpoint | undefined;
  return {
    known: async () => known,
    raise(checkpoint) {
      if (checkpoint.size > (known?.size ?? 0)) known = checkpoint;
    },
    accuse: () => undefined,
    close: () => undefined,
  };
}
