import { z } from "zod";

/** What a task may do outside; `ucxlName` and `prose` are the spec's own shapes. */
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
  return z
    .array(effect)
    .max(16)
    .refine(
      (effects) => new Set(effects.map(({ slot }) => slot)).size === effects.length,
      "must have different slots",
    );
}
