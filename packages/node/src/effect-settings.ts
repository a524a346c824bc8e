import { isAbsolute } from "node:path";
import { z } from "zod";

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,47}$/, "must be a name of a-z 0-9 - _");
const word = z.string().min(1);

const gitRule = z.strictObject({
  url: word,
  refs: z.array(word).min(1).exactOptional(),
  credential: name.exactOptional(),
});
const httpRule = z.strictObject({
  url: word,
  methods: z.array(word).min(1).exactOptional(),
  credential: name.exactOptional(),
  idempotent: z.boolean().exactOptional(),
  lookup: word.exactOptional(),
  private: z.boolean().exactOptional(),
});
const credential = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("bearer"), token: word }),
  z.strictObject({ kind: z.literal("basic"), user: word, password: word }),
  z.strictObject({ kind: z.literal("header"), name: word, value: word }),
]);

/** Repositories that may be pushed to, as JSON. */
export const gitRules = json(z.array(gitRule).max(256)).transform((rules) => rules ?? []);

/** Endpoints that may be called, as JSON. */
export const httpRules = json(z.array(httpRule).max(256)).transform((rules) => rules ?? []);

/** What proves this agent to them, by name, as JSON. */
export const credentials = json(z.record(name, credential)).transform((known) => known ?? {});

/** Folders, separated by commas. */
export const folders = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((folder) => folder.trim())
      .filter((folder) => folder !== ""),
  )
  .refine(
    (all) => all.every((folder) => isAbsolute(folder)),
    "must be absolute folders, separated by commas",
  );

/** What is wrong is said by its path, never by its value: that may be a secret. */
function json<T>(schema: z.ZodType<T>): z.ZodType<T | undefined, string | undefined> {
  return z
    .string()
    .optional()
    .transform((text, context): T | undefined => {
      if (text === undefined) return undefined;
      const parsed = schema.safeParse(parsedOrUndefined(text));
      if (parsed.success) return parsed.data;
      for (const { path, code } of parsed.error.issues.slice(0, 8))
        context.addIssue({ code: "custom", message: problemAt(path, code) });
      return z.NEVER;
    });
}

function problemAt(path: readonly PropertyKey[], code: string): string {
  return path.length === 0
    ? "must be JSON of the documented form"
    : `${path.map(String).join(".")} is wrong (${code})`;
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
