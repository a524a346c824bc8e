import type { Clean } from "@chorus/kernel";

/** The one place where the brand is made. Call it only with what has just been scanned. */
export function clean<T>(value: T): Clean<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand exists in types alone; this makes it
  return value as Clean<T>;
}
