import type { Components } from "@chorus/coordinator";

/** Effectors whose acts can be held. */
export function probedEffectors(components: Components): Components {
  return components;
}
