/**
 * A deterministic fault simulator for state machines.
 *
 * @example
 * import { formatRun, type Host, sim } from "@chorus/sim";
 *
 * // Node 0 lends a lease to one node at a time. Can you see what is wrong?
 * const leases = sim({
 *   boot({ self, now, send, after }: Host<"ask" | "granted">) {
 *     let [asked, until] = [0, 0];
 *     const ask = () => {
 *       asked = now();
 *       if (self > 0) send(0, "ask");
 *       after(500, ask);
 *     };
 *     ask();
 *     return {
 *       holds: () => self > 0 && now() < until,
 *       message(from: number, message: "ask" | "granted") {
 *         if (message === "ask" && now() < until) return;
 *         until = message === "ask" ? now() + 500 : asked + 400;
 *         if (message === "ask") send(from, "granted");
 *       },
 *     };
 *   },
 *   invariants: () => ({
 *     "one holder": ({ nodes }) =>
 *       nodes.filter(({ running }) => running?.holds()).length > 1 ? "two nodes hold the lease" : undefined,
 *   }),
 * });
 * const found = leases.search({ count: 100 });
 * if (found) console.log(formatRun(found));
 *
 * @packageDocumentation
 */
export type {
  Disk,
  Fault,
  Host,
  Plan,
  Process,
  Run,
  SimOptions,
  Simulator,
  System,
  World,
} from "./contract.ts";
export { formatRun } from "./format.ts";
export { sim } from "./sim.ts";
