import { InvalidInputError } from "@chorus/kernel";

// What the compiler asks of callers with TypeScript, asked of all others: each names the field that is wrong.

/** @throws InvalidInputError */
export function demand(holds: boolean, path: string, problem: string): asserts holds {
  if (!holds) throw new InvalidInputError(path, problem);
}

/** Ill-formed text would change on its way through UTF-8. */
export function checkedText(value: unknown, path: string, most: number): string {
  const fits = typeof value === "string" && value.length > 0 && value.length <= most && value.isWellFormed();
  demand(fits, path, `must be text of 1 to ${most} characters`);
  return value;
}

/** Holes of a sparse list count as entries. */
export function checkedList(value: unknown, path: string): readonly unknown[] {
  demand(Array.isArray(value), path, "must be a list");
  return [...value];
}

export function checkedFlag(value: unknown, path: string): boolean {
  demand(typeof value === "boolean", path, "must be true or false");
  return value;
}

/** Other views have a length too, and would be sent as if each element were a byte. */
export function checkedBytes(value: unknown, path: string): Uint8Array {
  demand(value instanceof Uint8Array, path, "must be bytes");
  return value;
}

export function checkFunction(value: unknown, path: string): void {
  demand(typeof value === "function", path, "must be a function");
}

/** The signal of a call's options, which a caller may have left out. */
export function signalOf(options: { readonly signal: AbortSignal } | undefined): AbortSignal {
  const signal: unknown = options?.signal;
  demand(signal instanceof AbortSignal, "signal", "must be an AbortSignal");
  return signal;
}
