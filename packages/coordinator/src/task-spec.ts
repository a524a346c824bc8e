import { encodeCanonical, parseCid } from "@chorus/kernel";
import { z } from "zod";
import { canonicalOf } from "./canonical-of.ts";
import type { TaskId, TaskSpec } from "./contract-task.ts";
import { effectsSchema } from "./effects/effect-spec.ts";
import { InvalidTaskError, type FieldProblem } from "./errors.ts";
import { isTaskId } from "./task-id.ts";

/** A submission has to fit one ledger entry (16 KiB) with its envelope; large content enters as an input. */
const MAX_SPEC_BYTES = 12_288;
const DAY_MS = 86_400_000;
const MAX_PROBLEMS = 32;
const MAX_DEPENDENCIES = 32;

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

const command = z.strictObject({
  run: script,
  allowFailure: z.boolean().exactOptional(),
  timeoutMs: timeoutMs.exactOptional(),
});

const backoff = z
  .strictObject({
    firstMs: z.int().min(1).max(DAY_MS).exactOptional(),
    factor: z.int().min(1).max(10).exactOptional(),
    maxMs: z.int().min(1).max(DAY_MS).exactOptional(),
  })
  .refine(({ firstMs = 1000, maxMs = 60_000 }) => firstMs <= maxMs, "must not start above maxMs");

const join = z.union(
  [z.enum(["all", "any"]), z.strictObject({ atLeast: z.int().min(1).max(MAX_DEPENDENCIES) })],
  'must be "all", "any" or { atLeast }',
);

const budget = z.strictObject({
  tokens: z.int().min(1).exactOptional(),
  microdollars: z.int().min(1).exactOptional(),
  seconds: z.int().min(1).exactOptional(),
});

/** What concerns the task's place among others. */
const relations = {
  priority: z.int().min(0).max(9).exactOptional(),
  dependsOn: z
    .array(z.custom<TaskId>(isTaskId, "must be the id of a task"))
    .min(1)
    .max(MAX_DEPENDENCIES)
    .refine((ids) => new Set(ids).size === ids.length, "must be different tasks")
    .exactOptional(),
  join: join.exactOptional(),
  deadline: z.int().min(1).exactOptional(),
  backoff: backoff.exactOptional(),
};

const shape = z.strictObject({
  goal: prose(4096),
  project: ucxlName.default("default"),
  name: ucxlName.exactOptional(),
  commands: z.array(command).max(32).exactOptional(),
  acceptance: z.array(command).max(16).exactOptional(),
  inputs: z
    .array(z.strictObject({ name: ucxlName, address, mediaType }))
    .max(16)
    .refine(areNamesUnique, "must have different names")
    .exactOptional(),
  requirements: requirements.exactOptional(),
  attempts: z.int().min(1).max(10).default(3),
  ...relations,
  writeScopes: z.array(prose(255)).max(32).exactOptional(),
  budget: budget.exactOptional(),
  effects: effectsSchema({ ucxlName, prose }).exactOptional(),
  labels: z
    .record(ucxlName, prose(256))
    .refine((labels) => Object.keys(labels).length <= 16, "must be at most 16")
    .exactOptional(),
});

/** The shape on the wire. A spec that went through it comes out as it is. */
export const specSchema = shape.superRefine(({ dependsOn, join: wanted }, context) => {
  if (wanted === undefined) return;
  const most = dependsOn?.length ?? 0;
  if (most === 0) context.addIssue({ code: "custom", path: ["join"], message: "needs dependsOn" });
  else if (typeof wanted === "object" && wanted.atLeast > most)
    context.addIssue({
      code: "custom",
      path: ["join", "atLeast"],
      message: `must be at most ${most}, as many as dependsOn has`,
    });
});

/**
 * Reads a task from outside: unknown fields are refused, defaults are filled in.
 *
 * | field | limit |
 * |---|---|
 * | `goal` | 1–4096 characters |
 * | `commands` | ≤ 32, each `run` 1–8192 characters |
 * | `acceptance` | ≤ 16, as `commands` |
 * | `inputs` | ≤ 16, address `ucxl://<cid>` |
 * | `attempts` | 1–10 |
 * | `backoff` | `firstMs` ≤ `maxMs` ≤ a day, `factor` 1–10 |
 * | `priority` | 0–9 |
 * | `dependsOn` | 1–32 different ids; `join` `all`, `any`, `{ atLeast }` of them |
 * | `deadline` | ms since the epoch |
 * | `writeScopes` | ≤ 32 of ≤ 255 characters |
 * | `effects` | ≤ 16 different slots, `times` 1–16 |
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
