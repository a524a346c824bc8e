/**
 * A storage in memory, and what every storage must do.
 *
 * @packageDocumentation
 */
export { storageContract, type StorageContractCase, type StorageContractSetup } from "./contract-suite.ts";
export { memoryStorage } from "./memory-storage.ts";
