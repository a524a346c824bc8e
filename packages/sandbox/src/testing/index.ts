/**
 * The promises of a sandbox as executable cases, and small tools to write more.
 *
 * @packageDocumentation
 */
export { conformance } from "./conformance.ts";
export {
  type ConformanceCase,
  type Finished,
  gather,
  run,
  shell,
  type TarInput,
  type TarInputEntry,
  tarOf,
} from "./tools.ts";
