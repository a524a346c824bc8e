import { registerHooks } from "node:module";

/** Modules that packages/node gets instead: they hand the real thing on, with the probe around it. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["@chorus/coordinator", new URL("coordinator.ts", import.meta.url).href],
  ["@chorus/election", new URL("election.ts", import.meta.url).href],
]);

/**
 * Puts the probe between packages/node and what it composes. The composition itself is untouched: it is the one that
 * every agent has. Has to be called before `@chorus/node` is imported.
 */
export function putSeams(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const instead = INSTEAD.get(specifier);
      const isNode = context.parentURL?.includes("/packages/node/") === true;
      return instead !== undefined && isNode
        ? { url: instead, shortCircuit: true }
        : next(specifier, context);
    },
  });
}
