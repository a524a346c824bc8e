export type {
  Admin,
  AdminCert,
  Election,
  ElectionComponents,
  ElectionConfig,
  ElectionOptions,
  VoteState,
  VoteStore,
} from "./contract.ts";
