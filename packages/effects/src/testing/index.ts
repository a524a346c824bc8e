/**
 * The promises of every effector, as cases that a test runs against one.
 *
 * @packageDocumentation
 */
export {
  cleaned,
  type EffectorBench,
  type EffectorCase,
  effectorContract,
  permitted,
} from "./effector-contract.ts";
