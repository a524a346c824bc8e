/**
 * An append-only log of one writer, whose entries and history anyone can check.
 *
 * @example
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { createSigner, silentLogger, systemClock } from "@chorus/kernel";
 * import { eventLog, openCheckpoint, verifyInclusion } from "@chorus/event-log";
 *
 * const signer = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
 * const origin = `demo.chorus/peer/${signer.peer}`;
 * const file = join(await mkdtemp(join(tmpdir(), "log-")), "events.db");
 * await using log = await eventLog({ signer, clock: systemClock, logger: silentLogger }, { file, origin });
 *
 * const { first, checkpoint } = await log.append([{ type: "task-claimed", task: "t-1" }]);
 * const proof = await log.prove(first, checkpoint.size);
 * for await (const { bytes, seq, event } of log.read()) {
 *   const head = await openCheckpoint(checkpoint.note, { origin, peer: signer.peer });
 *   console.log(event, verifyInclusion({ bytes, seq, head, proof }));
 * }
 *
 * @packageDocumentation
 */
export { openCheckpoint } from "./checkpoint.ts";
export type {
  Appended,
  Checkpoint,
  EventLog,
  EventLogComponents,
  EventLogOptions,
  LogEntry,
  LogReport,
} from "./contract.ts";
export { EventLogError } from "./errors.ts";
export { eventLog } from "./event-log.ts";
export { verifyConsistency, verifyInclusion } from "./proof.ts";
