export type {
  Ack,
  Components,
  Coordinator,
  CoordinatorOptions,
  TaskEvent,
  TaskId,
  TaskSpec,
  TaskView,
} from "./contract.ts";
