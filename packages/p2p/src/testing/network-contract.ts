import type { ContractCase } from "./contract-network.ts";
import { membershipCases } from "./membership-cases.ts";
import { pubsubCases } from "./pubsub-cases.ts";
import { streamCases } from "./stream-cases.ts";

export type { ContractCase, ContractMember, ContractNetwork } from "./contract-network.ts";

/** Every rule, in the order in which a failure says most. Run each on a network of its own. */
export const networkContract: readonly ContractCase[] = [...membershipCases, ...streamCases, ...pubsubCases];
