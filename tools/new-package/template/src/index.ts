/**
 * DESCRIPTION.
 *
 * @example
 * import { systemClock } from "@chorus/kernel";
 * import { paperLantern } from "@chorus/paper-lantern";
 *
 * const instance = paperLantern({ clock: systemClock }, { limit: 2 });
 * const { at, left } = await instance.light({ signal: AbortSignal.timeout(1000) });
 * console.log(at, left);
 *
 * @packageDocumentation
 */
export type {
  PaperLantern,
  PaperLanternComponents,
  PaperLanternLight,
  PaperLanternOptions,
} from "./contract.ts";
export { BurntOutError } from "./errors.ts";
export { paperLantern } from "./paper-lantern.ts";
