/**
 * A durable log that every member holds in the same order.
 *
 * @example
 * ```ts
 * import { createSigner, silentLogger, systemClock } from "@chorus/kernel";
 * import { memoryNetwork } from "@chorus/kernel/testing";
 * import { ledger, sqliteLogStore } from "@chorus/ledger";
 * import { fakeLeadership } from "@chorus/ledger/testing";
 *
 * const signer = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
 * const { peer, streams } = memoryNetwork().join(signer);
 * const leads = fakeLeadership();
 * leads.lead(peer);
 * const counter = {
 *   initial: () => 0,
 *   apply: (sum: number, { command }: { command: Uint8Array }) => ({
 *     state: sum + command.length,
 *     result: sum + command.length,
 *   }),
 * };
 * using store = sqliteLogStore(":memory:");
 * const leadership = leads.of(peer);
 * const ports = { streams, leadership, store, machine: counter, clock: systemClock, logger: silentLogger };
 * await using log = await ledger(ports);
 * const { index, result } = await log.propose(Uint8Array.of(1, 2, 3));
 * console.log(index, result, log.state()); // 1 3 3
 * ```
 *
 * @packageDocumentation
 */
export type {
  Leadership,
  Ledger,
  LedgerComponents,
  LedgerOptions,
  LedgerStatus,
  LogEntry,
  LogStore,
  Proposed,
  StateMachine,
} from "./contract.ts";
export { electedLog } from "./elected-log.ts";
export { ledger } from "./ledger.ts";
export { sqliteLogStore } from "./sqlite-log-store.ts";
