import { errorCode } from "@chorus/kernel";

/** One field that is wrong, named by its JSON pointer (RFC 6901). */
export interface FieldProblem {
  readonly pointer: string;
  readonly detail: string;
}

/** A refusal as RFC 9457 describes it. */
export interface Problem {
  readonly status: number;
  /** Stable name, the last part of `urn:chorus:problem:…`. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldProblem[];
}

/** What an error of a port means over HTTP, by its code. */
const knownErrors: Readonly<Record<string, Omit<Problem, "detail" | "errors">>> = {
  "kernel/invalid-input": { status: 400, code: "invalid-input", title: "The input is not valid" },
  "coordinator/invalid-task": { status: 422, code: "invalid-task", title: "The task is not valid" },
  "coordinator/conflict": {
    status: 422,
    code: "idempotency-conflict",
    title: "This idempotency key was used for another task",
  },
  "coordinator/unknown-task": { status: 404, code: "not-found", title: "There is no such task here" },
  "coordinator/unknown-effect": {
    status: 404,
    code: "not-found",
    title: "The task has no such effect here",
  },
  "coordinator/already-ended": { status: 409, code: "already-ended", title: "The task has already ended" },
  "node/input-too-large": { status: 413, code: "too-large", title: "The input is too large" },
  "node/secret-found": { status: 422, code: "secret-found", title: "The content holds a secret" },
  "dht-storage/full": { status: 507, code: "storage-full", title: "This peer has no room left" },
};

/** Turns anything thrown into a problem without telling the caller more than it may know. */
export function problemOf(error: unknown): Problem {
  const code = errorCode(error);
  const known = code === undefined ? undefined : knownErrors[code];
  const detail = error instanceof Error ? error.message : undefined;
  if (known) return { ...known, ...(detail === undefined ? {} : { detail }), ...fieldsOf(error) };
  if (isRetryable(error) && detail !== undefined)
    return { status: 503, code: "try-again", title: "The mesh cannot do this right now", detail };
  return { status: 500, code: "internal", title: "Something failed here; the log has the request id" };
}

/** The response for a problem, with the request's id so that a log line can be found. */
export function problemResponse(problem: Problem, requestId: string): Response {
  const { status, code, title, detail, errors } = problem;
  const body = { type: `urn:chorus:problem:${code}`, title, status, detail, code, errors, requestId };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(status === 503 ? { "retry-after": "1" } : {}),
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="chorus"' } : {}),
    },
  });
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === true;
}

function fieldsOf(error: unknown): { errors?: readonly FieldProblem[] } {
  const detail = error instanceof Error && "detail" in error ? error.detail : undefined;
  const errors = isRecord(detail) ? detail["errors"] : undefined;
  return Array.isArray(errors) ? { errors: errors.filter(isFieldProblem) } : {};
}

function isFieldProblem(value: unknown): value is FieldProblem {
  return isRecord(value) && typeof value["pointer"] === "string" && typeof value["detail"] === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
