import { expect, it } from "vitest";
import type { TaskState } from "../src/contract-task.ts";
import { isTerminal, transitions } from "../src/core/transitions.ts";
import { projectState } from "../src/project-state.ts";

const states = Object.keys(transitions) as TaskState[];
const TERMINAL = ["COMPLETED", "FAILED", "CANCELED", "REJECTED"].map((name) => `TASK_STATE_${name}`);

it.each(states)("ends %s for A2A exactly when it has ended here", (state) => {
  expect(TERMINAL.includes(projectState({ state }).state)).toBe(isTerminal(state));
});

it("says what A2A has no state for", () => {
  const reason = { code: "c", message: "why" };
  expect(projectState({ state: "expired", reason })).toEqual({
    state: "TASK_STATE_FAILED",
    message: "expired: why",
  });
  expect(projectState({ state: "dead-letter", reason }).message).toBe("dead-letter: why");
  expect(projectState({ state: "paused" })).toEqual({ state: "TASK_STATE_WORKING", message: "paused" });
  expect(projectState({ state: "blocked", reason })).toEqual({
    state: "TASK_STATE_SUBMITTED",
    message: "blocked",
  });
  expect(projectState({ state: "input-required", reason }).message).toBe("why");
  // The reason of an attempt before this one is none of A2A's.
  expect(projectState({ state: "working", reason })).toEqual({ state: "TASK_STATE_WORKING" });
  expect(projectState({ state: "completed", reason })).toEqual({ state: "TASK_STATE_COMPLETED" });
});
