import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute } from "./process.ts";

const FIXTURE = "tools/checks/fixtures/cycle";

/**
 * Proves that the linter sees cycles at all, also those of types: with a configuration that it does not
 * understand, `import/no-cycle` finds nothing and says nothing.
 */
export async function checkCanary(root: string): Promise<readonly string[]> {
  const { ignorePatterns: _, ...config } = readConfig(root);
  const folder = join(root, "dist/canary");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "oxlintrc.json"), JSON.stringify(config));
  const { output } = await execute(
    ["oxlint", "-c", join(folder, "oxlintrc.json"), "--format=unix", FIXTURE],
    { cwd: root },
  );
  return ["contract.ts", "part.ts"]
    .filter((file) => !output.includes(`${FIXTURE}/src/${file}`) || !output.includes("import(no-cycle)"))
    .map((file) => `${FIXTURE}/src/${file}: oxlint does not see that it stands in a cycle:\n${output}`);
}

function readConfig(root: string): { ignorePatterns?: unknown } {
  const config: { ignorePatterns?: unknown } = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8"));
  return config;
}
