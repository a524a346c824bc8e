/**
 * Elects the one legitimate admin of a mesh, with proof.
 *
 * @example
 * ```ts
 * import { election, sqliteVoteStore, verifyCertificate } from "@chorus/election";
 * import { createSigner, silentLogger, systemClock } from "@chorus/kernel";
 * import { memoryNetwork } from "@chorus/kernel/testing";
 *
 * const signer = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
 * const { streams, pubsub } = memoryNetwork({ cluster: "demo" }).join(signer);
 * using store = sqliteVoteStore(":memory:");
 * await using voting = await election(
 *   { streams, pubsub, signer, store, clock: systemClock, random: Math.random, logger: silentLogger },
 *   { cluster: "demo", role: "voter" },
 * );
 * for await (const admin of voting.changes({ signal: AbortSignal.timeout(5000) })) {
 *   if (!admin) continue;
 *   console.log(admin.term, await verifyCertificate(admin.certificate, admin.certificate.config)); // 1 true
 *   break;
 * }
 * ```
 *
 * @packageDocumentation
 */
export { verifyCertificate, verifyEquivocation } from "./certificate.ts";
export type {
  Admin,
  AdminCert,
  Election,
  ElectionEvent,
  ElectionOptions,
  EquivocationProof,
  VoteState,
  VoteStore,
} from "./contract.ts";
export { election } from "./election.ts";
export { sqliteVoteStore } from "./vote-store.ts";
