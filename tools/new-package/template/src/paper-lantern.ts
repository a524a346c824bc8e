import type { PaperLantern, PaperLanternComponents, PaperLanternOptions } from "./contract.ts";
import { BurntOutError } from "./errors.ts";

/** Makes one that can be lit a limited number of times. */
export function paperLantern(
  { clock }: PaperLanternComponents,
  options: PaperLanternOptions = {},
): PaperLantern {
  const { limit = 1 } = options;
  let left = limit;
  return {
    light: async ({ signal }) => {
      signal.throwIfAborted();
      if (left === 0) throw new BurntOutError(limit);
      left--;
      return { at: clock.now(), left };
    },
  };
}
