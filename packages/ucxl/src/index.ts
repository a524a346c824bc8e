/**
 * UCXL: addresses of decisions, and the records behind them.
 *
 * @example
 * import { createSigner } from "@chorus/kernel";
 * import { encodeDecision, parseAddress, signDecision, verifyDecision } from "@chorus/ucxl";
 *
 * const author = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
 * const { bytes, address, laneAddress } = await encodeDecision({
 *   cluster: "demo",
 *   project: "website",
 *   task: "t-1",
 *   role: "worker",
 *   agent: { peer: author.peer, name: "alice" },
 *   seq: 1,
 *   prev: null,
 *   parents: [],
 *   kind: "task-result",
 *   status: "accepted",
 *   title: "The suite passes with the change",
 *   body: { mediaType: "text/markdown", bytes: new TextEncoder().encode("12 tests, 0 failures") },
 *   evidence: [],
 *   createdAt: Date.now(),
 *   audience: { role: "worker", epoch: 1 },
 * });
 * const signed = await signDecision(bytes, [author]);
 * const { decision } = await verifyDecision(signed, { address: laneAddress });
 * console.log(parseAddress(address).kind, decision.title);
 *
 * @packageDocumentation
 */
export { formatAddress, parseAddress } from "./address.ts";
export type { Address, Decision, SignedDecision } from "./contract.ts";
export { decodeDecision, encodeDecision } from "./decision.ts";
export { signDecision } from "./dsse.ts";
export { UcxlError } from "./errors.ts";
export { normalizeAddress } from "./normalize.ts";
export { verifyDecision, verifyHistory } from "./verify.ts";
