import { existsSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

/** JavaScript only: declarations come from `tsc -b` (apps/docs/contributing.md says why). */
const shared: Options = {
  format: "esm",
  target: "node24",
  platform: "node",
  dts: false,
  sourcemap: true,
  clean: true,
  treeshake: false,
  silent: true,
  // node:sqlite and node:test have no name without the prefix.
  removeNodeProtocol: false,
};

const testing = "src/testing/index.ts";

/** A library: `.` and, where there is one, `./testing`; shared chunks so that no class exists twice. */
export default defineConfig({
  ...shared,
  entry: existsSync(testing)
    ? { index: "src/index.ts", "testing/index": testing }
    : { index: "src/index.ts" },
  splitting: true,
});

/** An application: one entry with a shebang. */
export const app = defineConfig({
  ...shared,
  entry: { main: "src/main.ts" },
});
