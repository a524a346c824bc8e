import type { Requirements } from "./contract-task.ts";

/**
 * True when a worker with these capabilities may run a task with these requirements.
 *
 * `isolation:container` also satisfies `simulated`; an `image` needs real containers; `language:*` is any
 * language. Memory, processors and time are the engine's to grant.
 */
export function isCapable(capabilities: readonly string[], requirements: Requirements = {}): boolean {
  const has = (capability: string): boolean => capabilities.includes(capability);
  const { isolation, image, language } = requirements;
  const needsContainer = isolation === "container" || image !== undefined;
  if (needsContainer && !has("isolation:container")) return false;
  if (isolation === "simulated" && !has("isolation:simulated") && !has("isolation:container")) return false;
  return language === undefined || has(`language:${language}`) || has("language:*");
}
