import type { TokenRule } from "./contract.ts";
import { cloudRules } from "./rules/cloud.ts";
import { codeRules } from "./rules/code.ts";
import { keyRules } from "./rules/keys.ts";
import { modelRules } from "./rules/models.ts";
import { serviceRules } from "./rules/services.ts";

/** The token formats that are known from the start: each can be told without a word beside it. */
export const BUILT_IN_RULES: readonly TokenRule[] = [
  ...codeRules,
  ...cloudRules,
  ...modelRules,
  ...serviceRules,
  ...keyRules,
];
