import type { TaskSpec } from "./contract-task.ts";

/**
 * True when a worker with these capabilities may run a task with these requirements.
 *
 * `isolation:container` also satisfies `simulated`; an `image` needs real containers; `language:*` is any
 * language; each kind of effect needs `effect:<kind>`. Memory, processors and time are the engine's to grant.
 */
export function isCapable(
  capabilities: readonly string[],
  spec: Pick<TaskSpec, "requirements" | "effects">,
): boolean {
  return missingOf(capabilities, spec).length === 0;
}

/** The capabilities that a task requires and a worker does not have. */
export function missingOf(
  capabilities: readonly string[],
  { requirements = {}, effects = [] }: Pick<TaskSpec, "requirements" | "effects">,
): readonly string[] {
  const offers = new Set(capabilities);
  if (offers.has("isolation:container")) offers.add("isolation:simulated");
  const { isolation, image, language } = requirements;
  const required: (string | undefined)[] = [
    image === undefined ? undefined : "isolation:container",
    isolation === undefined ? undefined : `isolation:${isolation}`,
    language === undefined || offers.has("language:*") ? undefined : `language:${language}`,
    ...effects.map(({ kind }) => `effect:${kind}`),
  ];
  return [...new Set(required)].flatMap((one) => (one === undefined || offers.has(one) ? [] : [one]));
}
