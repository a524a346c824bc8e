export type {
  Leadership,
  Ledger,
  LedgerComponents,
  LedgerOptions,
  LogEntry,
  LogStore,
  Proposed,
  StateMachine,
} from "./contract.ts";
