import { z } from "zod";

/**
 * What a task may do outside. A `*` in the payload is every file that fits, and its part stands in the target's `*`.
 * `ucxlName` and `prose` are the spec's own shapes.
 */
export function effectsSchema(shared: {
  readonly ucxlName: z.ZodType<string>;
  readonly prose: (max: number) => z.ZodType<string>;
}) {
  const { ucxlName, prose } = shared;
  const effect = z.strictObject({
    slot: ucxlName,
    kind: ucxlName,
    target: prose(1024),
    times: z.int().min(1).max(16).exactOptional(),
    payload: prose(1024),
    options: z
      .record(ucxlName, prose(1024))
      .refine((options) => Object.keys(options).length <= 16, "must be at most 16")
      .exactOptional(),
    approval: z.enum(["none", "human"]).exactOptional(),
  });
  const patterned = effect
    .refine(({ payload }) => stars(payload) <= 1, { path: ["payload"], error: "may have one *" })
    .refine(({ target, payload }) => stars(target) <= stars(payload), {
      path: ["target"],
      error: "may have a * only where the payload has one, whose part it takes",
    })
    .refine(({ times = 1, payload }) => times === 1 || stars(payload) === 1, {
      path: ["times"],
      error: "needs a payload with a *: each file is one effect",
    });
  return z
    .array(patterned)
    .max(16)
    .refine(
      (effects) => new Set(effects.map(({ slot }) => slot)).size === effects.length,
      "must have different slots",
    );
}

function stars(pattern: string): number {
  return pattern.split("*").length - 1;
}
