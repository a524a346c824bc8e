import { createHash } from "node:crypto";
import type { Effect } from "./contract.ts";
import { InvalidEffectError } from "./errors.ts";

const KEY = /^[a-z2-7]{52}$/;

/** What every kind asks of an effect. @param known the options that the kind has */
export function checkEffect(effect: Effect, kind: string, known: readonly string[]): void {
  const { key, options = {} } = effect;
  if (effect.kind !== kind) throw new InvalidEffectError("kind", `must be ${kind}`);
  if (!KEY.test(key)) throw new InvalidEffectError("key", "must be 52 characters of base32");
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new InvalidEffectError(
      `options.${unknown}`,
      `is unknown; ${kind} has ${known.join(", ") || "none"}`,
    );
}

/** An effect stands for its payload: other bytes are another effect. */
export function checkPayload({ digest }: Effect, payload: Uint8Array, maxBytes: number): void {
  if (payload.length > maxBytes) throw new InvalidEffectError("payload", `is larger than ${maxBytes} bytes`);
  if (digestOf(payload) !== digest) throw new InvalidEffectError("payload", "is not what the digest names");
}

/** SHA-256, lower-case hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
