/**
 * What every implementation of the kernel's PubSub and Streams must do, as cases for any test runner.
 *
 * @packageDocumentation
 */
export {
  type ContractCase,
  type ContractMember,
  type ContractNetwork,
  networkContract,
} from "./network-contract.ts";
