import type { Branded } from "@chorus/kernel";

/** base32 (lower case, 52 characters) of SHA-256(principal ‖ 0x00 ‖ idempotencyKey): the same at every peer. */
export type TaskId = Branded<"TaskId">;
