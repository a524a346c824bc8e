/**
 * Encrypted, signed and replicated blob storage between peers.
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
