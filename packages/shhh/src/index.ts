/**
 * Finds secrets in text, values, bytes and streams, and puts a tag in their place.
 *
 * @example
 * import { createSentinel } from "@chorus/shhh";
 *
 * const sentinel = createSentinel({ key: crypto.getRandomValues(new Uint8Array(32)) });
 * sentinel.learn("correct horse battery", "env:DATABASE_PASSWORD");
 * const { text, findings } = sentinel.redact("login with 'correct horse battery'");
 * console.log(text); // login with '[shhh:known:7Q3K-9F2M]'
 * console.log(findings[0]?.kind); // env:DATABASE_PASSWORD
 *
 * @packageDocumentation
 */
export type {
  Confidence,
  Finding,
  KnownValue,
  Learned,
  SecretStream,
  Sentinel,
  SentinelOptions,
  TokenRule,
} from "./contract.ts";
export { BlockedError, RuleError, ShhhUsageError } from "./errors.ts";
export { createSentinel } from "./sentinel.ts";
