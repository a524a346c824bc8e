import { fileURLToPath } from "node:url";

/**
 * The child's program, from the sources or from the build, whichever this file is part of. It stands beside this file
 * in both, which is why neither lives in a folder.
 */
export const CHILD_ENTRY: string = fileURLToPath(
  new URL(`./embedded-child${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);
