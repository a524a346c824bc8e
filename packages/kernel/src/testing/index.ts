/**
 * Fakes of the kernel's ports that behave: time that stands still, and a network inside one process.
 *
 * @packageDocumentation
 */
export { type ManualClock, manualClock } from "./manual-clock.ts";
export { type MemoryNetwork, memoryNetwork, type MemoryPeer, UnreachableError } from "./memory-network.ts";
