import type { Problem } from "./problem.ts";

/** A request that is refused by a route; the surface turns it into its problem. */
export class Refusal extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

const tooLarge = (limit: number): Refusal =>
  new Refusal({
    status: 413,
    code: "too-large",
    title: "The body is too large",
    detail: `at most ${limit} bytes`,
  });

/** Reads a JSON body within its limit, whatever its declared length says. */
export async function readJson(request: Request, limit: number): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new Refusal({ status: 400, code: "malformed-json", title: "The body is not valid JSON" });
  }
}

/** A whole number from a query or header, or undefined when it is absent. */
export function readCount(text: string | null | undefined, name: string): number | undefined {
  if (text === null || text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || !Number.isSafeInteger(value))
    throw new Refusal({
      status: 400,
      code: "invalid-parameter",
      title: "A parameter is not valid",
      detail: `${name} must be a whole number`,
    });
  return value;
}
