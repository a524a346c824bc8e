import { errorCode } from "@chorus/kernel";

/** A refusal as RFC 9457 describes it, with a stable `code`. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  /** For an address: the parser's code and the place it stopped at. */
  readonly fault?: { readonly code: string; readonly position?: number };
}

export function problemResponse(problem: Problem): Response {
  const body = { type: `urn:chorus:problem:${problem.code}`, ...problem };
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

const byCode: Readonly<Record<string, Problem>> = {
  "ucxl/verification-failed": {
    status: 422,
    code: "verification-failed",
    title: "What was found does not verify, so it is not shown",
  },
  "dht-storage/equivocation": {
    status: 409,
    code: "equivocation",
    title: "Two different records claim this place; both are kept",
  },
};

/** What a thrown value means to the asker; undefined when it is a fault of ours. */
export function problemOf(error: unknown): Problem | undefined {
  const code = errorCode(error);
  if (!(error instanceof Error) || code === undefined) return undefined;
  const known = byCode[code];
  if (known) return { ...known, detail: error.message };
  if (code.startsWith("ucxl/") || code === "kernel/invalid-input")
    return {
      status: 400,
      code: "invalid-address",
      title: "This is not a canonical UCXL address",
      detail: error.message,
      fault: faultOf(error, code),
    };
  if ("retryable" in error && error.retryable === true)
    return { status: 503, code: "degraded", title: "The mesh cannot answer now", detail: error.message };
  return undefined;
}

function faultOf(error: Error, code: string): { code: string; position?: number } {
  const short = code.slice(code.indexOf("/") + 1);
  const position = "position" in error && typeof error.position === "number" ? error.position : undefined;
  return position === undefined ? { code: short } : { code: short, position };
}
