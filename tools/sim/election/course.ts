/** Circumstances under which the election is simulated. */
export type Course =
  /** All nodes are voters and stay so. */
  | "fixed"
  /** Voters are added and removed by hand. */
  | "changing"
  /** The same, around a replicated log. */
  | "logged"
  /** The nodes found the mesh together, and the admin takes the rest in. */
  | "founding"
  /** Each node founds a mesh of its own; they fold into one, and the admin makes the voters. */
  | "automatic";

/** By how often they are taken: the last two are long. */
export const courses: readonly Course[] = [
  "fixed",
  "changing",
  "fixed",
  "changing",
  "logged",
  "changing",
  "founding",
  "automatic",
];

/** Whether voters are changed by hand. */
export function changes(course: Course): boolean {
  return course === "changing" || course === "logged";
}
