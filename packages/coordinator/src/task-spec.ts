import { encodeCanonical, parseCid } from "@chorus/kernel";
import { z } from "zod";
import { canonicalOf } from "./canonical-of.ts";
import type { TaskSpec } from "./contract-task.ts";
import { InvalidTaskError, type FieldProblem } from "./errors.ts";

/** A submission has to fit one ledger entry (16 KiB) with its envelope; large content enters as an input. */
const MAX_SPEC_BYTES = 12_288;
const DAY_MS = 86_400_000;
const MAX_PROBLEMS = 32;

/** Only NFC text has one encoding. What people write is normalised; scripts are never changed, so they must be it. */
const prose = (max: number) =>
  z.string().min(1).max(max).refine(isWellFormed, "is not well-formed Unicode").normalize("NFC");
const script = z
  .string()
  .min(1)
  .max(8192)
  .refine((text) => isWellFormed(text) && text.normalize("NFC") === text, "must be well-formed NFC text");

/** The `name` of the UCXL grammar. */
const ucxlName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?$/,
    "must be 1 to 48 of a-z 0-9 - _ . with an alphanumeric at both ends",
  );

const address = z.string().refine(isContentAddress, "must be ucxl:// and a content id");
const mediaType = z
  .string()
  .max(127)
  .regex(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/, "must be a media type in lower case");
const timeoutMs = z.int().min(1).max(DAY_MS);

const requirements = z.strictObject({
  language: z
    .string()
    .regex(/^[a-z0-9+#-]{1,32}$/, "must be 1 to 32 of a-z 0-9 + # -")
    .exactOptional(),
  image: prose(255).exactOptional(),
  isolation: z.enum(["simulated", "container"]).exactOptional(),
  memoryBytes: z.int().min(1_048_576).exactOptional(),
  cpus: z.int().min(1).max(256).exactOptional(),
  timeoutMs: timeoutMs.exactOptional(),
});

/** The shape on the wire. A spec that went through it comes out as it is. */
export const specSchema = z.strictObject({
  goal: prose(4096),
  project: ucxlName.default("default"),
  name: ucxlName.exactOptional(),
  commands: z
    .array(
      z.strictObject({
        run: script,
        allowFailure: z.boolean().exactOptional(),
        timeoutMs: timeoutMs.exactOptional(),
      }),
    )
    .max(32)
    .exactOptional(),
  inputs: z
    .array(z.strictObject({ name: ucxlName, address, mediaType }))
    .max(16)
    .refine(areNamesUnique, "must have different names")
    .exactOptional(),
  requirements: requirements.exactOptional(),
  attempts: z.int().min(1).max(10).default(3),
  labels: z
    .record(ucxlName, prose(256))
    .refine((labels) => Object.keys(labels).length <= 16, "must be at most 16")
    .exactOptional(),
});

/**
 * Reads a task from outside: unknown fields are refused, defaults are filled in.
 *
 * | field | limit |
 * |---|---|
 * | `goal` | 1–4096 characters |
 * | `commands` | ≤ 32, each `run` 1–8192 characters |
 * | `inputs` | ≤ 16, address `ucxl://<cid>` |
 * | `attempts` | 1–10 |
 * | all of it, encoded | ≤ 12 288 bytes |
 *
 * @throws 'coordinator/invalid-task' with every wrong field in `detail.errors`
 */
export function parseTask(input: unknown): TaskSpec {
  const parsed = specSchema.safeParse(input, { reportInput: true });
  if (!parsed.success) throw new InvalidTaskError(problemsOf(parsed.error));
  const { length } = specBytesOf(parsed.data);
  if (length <= MAX_SPEC_BYTES) return parsed.data;
  const detail = `is ${length} bytes, over ${MAX_SPEC_BYTES}: put long scripts into an input`;
  throw new InvalidTaskError([{ pointer: "", detail }]);
}

/** What makes two specs the same: their canonical bytes. */
export function specBytesOf(spec: TaskSpec): Uint8Array {
  return encodeCanonical(canonicalOf(spec));
}

function problemsOf(error: z.ZodError): FieldProblem[] {
  return error.issues.slice(0, MAX_PROBLEMS).flatMap((issue) => {
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({ pointer: pointerTo([...issue.path, key]), detail: "is unknown" }));
    const detail = issue.code === "invalid_type" && issue.input === undefined ? "is missing" : issue.message;
    return [{ pointer: pointerTo(issue.path), detail }];
  });
}

/** RFC 6901. */
export function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

function isContentAddress(text: string): boolean {
  if (!text.startsWith("ucxl://")) return false;
  try {
    parseCid(text.slice("ucxl://".length));
    return true;
  } catch {
    return false;
  }
}

function areNamesUnique(inputs: readonly { readonly name: string }[]): boolean {
  return new Set(inputs.map(({ name }) => name)).size === inputs.length;
}
