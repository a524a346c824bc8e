import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const dirs = ["packages", "apps", "tools"]
  .flatMap((top) => readdirSync(join(import.meta.dirname, top)).map((name) => `${top}/${name}`))
  .filter((dir) => existsSync(join(import.meta.dirname, dir, "test")));

/** Other packages are imported from their sources, so that no build is needed before the tests. */
const conditions = ["@chorus/source", "module", "node", "development|production"];

export default defineConfig({
  test: {
    reporters: ["default", "./tools/closing-line.ts"],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
    },
    maxWorkers: 2,
    projects: dirs.map((root) => ({
      root,
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: {
        name: root,
        include: ["test/**/*.test.ts"],
        environment: "node",
        testTimeout: 30_000,
        hookTimeout: 60_000,
      },
    })),
  },
});
