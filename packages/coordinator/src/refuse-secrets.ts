import type { Redactor } from "./contract-ports.ts";
import type { TaskSpec } from "./contract-task.ts";
import { InvalidTaskError } from "./errors.ts";
import { pointerTo } from "./task-spec.ts";

/**
 * A task is replicated in the clear among the members, so it may not carry a secret; a redacted one would be
 * another task.
 * @throws 'coordinator/invalid-task' naming the fields, never their content
 */
export function refuseSecrets(spec: TaskSpec, redactor: Redactor): void {
  const { value, findings } = redactor.redactValue(spec);
  if (findings.length === 0) return;
  const rules = [...new Set(findings.map(({ rule }) => rule))].join(", ");
  const detail = `holds what looks like a secret (${rules})`;
  throw new InvalidTaskError(
    differences(spec, value, []).map((path) => ({ pointer: pointerTo(path), detail })),
  );
}

function differences(before: unknown, after: unknown, path: readonly string[]): (readonly string[])[] {
  if (typeof before !== "object" || before === null) return before === after ? [] : [path];
  if (typeof after !== "object" || after === null) return [path];
  const redacted = new Map<string, unknown>(Object.entries(after));
  return Object.entries(before).flatMap(([key, value]) =>
    // A redacted key would show the secret in the pointer.
    redacted.has(key) ? differences(value, redacted.get(key), [...path, key]) : [path],
  );
}
