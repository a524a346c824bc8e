import { parseOrigin } from "./checkpoint.ts";
import type { EventLog, EventLogComponents, EventLogOptions } from "./contract.ts";
import { fileGuard } from "./guard.ts";
import { openLog } from "./log.ts";
import { sqliteStore } from "./sqlite-store.ts";

/**
 * Opens a log, or makes a new one. The caller owns it and disposes it, which finishes appends already made.
 * A damaged, shortened or contradicted log opens read-only and says so through the logger; its entries stay
 * readable and `append` throws what is wrong.
 * @throws EventLogError `event-log/locked` when someone else has it open, `event-log/disk` when the directory
 *   cannot be used, `event-log/corrupt` when the file cannot be read at all; InvalidInputError when it is the log
 *   of another origin or signer
 */
export async function eventLog(components: EventLogComponents, options: EventLogOptions): Promise<EventLog> {
  const { file } = options;
  const owner = { origin: parseOrigin(options.origin), peer: components.signer.peer };
  await using cleanup = new AsyncDisposableStack();
  const store = cleanup.adopt(sqliteStore(file, owner), (opened) => opened.close());
  const guard = cleanup.adopt(fileGuard(file, owner), (opened) => opened.close());
  const log = await openLog({ ...components, store, guard }, options);
  cleanup.move();
  return log;
}
