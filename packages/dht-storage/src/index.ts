/**
 * Encrypted, signed and replicated blob storage between peers.
 *
 * @example
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { type Clean, createSigner, silentLogger, systemClock } from "@chorus/kernel";
 * import { memoryNetwork } from "@chorus/kernel/testing";
 * import { deriveKeys, dhtStorage } from "@chorus/dht-storage";
 *
 * const cluster = "demo";
 * const random = crypto.getRandomValues(new Uint8Array(32));
 * const signer = await createSigner(random);
 * const { streams } = memoryNetwork({ cluster }).join(signer);
 * const keys = deriveKeys({ clusterSecret: crypto.getRandomValues(new Uint8Array(32)), cluster });
 * const directory = await mkdtemp(join(tmpdir(), "storage-"));
 * await using storage = await dhtStorage(
 *   { streams, signer, keys, clock: systemClock, logger: silentLogger },
 *   { directory, cluster },
 * );
 *
 * // The brand is the secret scanner's to give; this text stands in for what it has passed.
 * const bytes = new TextEncoder().encode("12 tests, 0 failures") as Clean<Uint8Array>;
 * const { cid, replicas, degraded } = await storage.put(bytes, { codec: "raw", class: "artifact" });
 * await storage.putHead({ lane: `website/t-1/worker/${signer.peer}`, seq: 1, cid });
 * console.log(replicas, degraded, new TextDecoder().decode(await storage.get(cid)));
 *
 * @packageDocumentation
 */
export type {
  DhtStorage,
  Head,
  Keys,
  PutOptions,
  PutResult,
  Routing,
  StorageComponents,
  StorageOptions,
} from "./contract.ts";
export { dhtStorage } from "./dht-storage.ts";
export { EquivocationError } from "./errors.ts";
export { deriveKeys, openMeshKeys } from "./keys.ts";
