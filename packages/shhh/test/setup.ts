import { createSentinel } from "../src/index.ts";
import type { Sentinel, SentinelOptions } from "../src/contract.ts";

export const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);

export function setup(options: Partial<SentinelOptions> = {}): Sentinel {
  return createSentinel({ key: KEY, ...options });
}

/** The text with every tag made `<rule>`, so that expectations stay readable. */
export function plainTags(text: string): string {
  return text.replace(/\[shhh:([a-z0-9-]+):[0-9A-Z]{4}-[0-9A-Z]{4}\]/g, "<$1>");
}

export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
