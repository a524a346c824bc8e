/** Circumstances under which the stack is simulated. */
export type Course =
  /** All peers are voters and stay so. */
  | "fixed"
  /** Some only learn; voters come and go. */
  | "changing";

/** By how often they are taken. */
export const courses: readonly Course[] = ["fixed", "fixed", "changing"];
