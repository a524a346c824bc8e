import { existsSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

/** JavaScript only: declarations come from `tsc -b` (see toolchain notes in apps/docs/contributing.md). */
const shared: Options = {
  format: "esm",
  target: "node24",
  platform: "node",
  dts: false,
  sourcemap: true,
  clean: true,
  treeshake: false,
  silent: true,
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
