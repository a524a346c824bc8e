import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { lintPacks, pack } from "../pack.ts";
import { manifest, setup } from "./setup.ts";

/** What the linters say about alpha, built as these files. */
async function problems(
  dist: Readonly<Record<string, string>>,
  change: Readonly<Record<string, unknown>> = {},
): Promise<readonly string[]> {
  const built = Object.entries(dist).map(([file, text]) => [`packages/alpha/dist/${file}`, text]);
  using made = setup({
    "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
    "packages/alpha/package.json": manifest("alpha", { dependencies: {}, ...change }),
    ...Object.fromEntries(built),
  });
  const folder = mkdtempSync(join(tmpdir(), "packs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const packages = made.workspace.packages.filter(({ dir }) => dir === "packages/alpha");
  return lintPacks(await pack({ ...made.workspace, packages }, folder));
}

const types = "export declare const alpha: number;\n";
const code = "export const alpha = 1;\n";

it("has nothing to say about a right pack", async () => {
  expect(await problems({ "index.js": code, "index.d.ts": types })).toEqual([]);
});

it("finds an entry that was not packed", async () => {
  const found = await problems({ "index.js": code });
  expect(found).toContainEqual(expect.stringMatching(/publint: .*index\.d\.ts.*does not exist/));
});

it("finds an entry whose types stand after its code, where no compiler looks", async () => {
  const wrong = { ".": { default: "./dist/index.js", types: "./dist/index.d.ts" } };
  const found = await problems(
    { "index.js": code, "index.d.ts": types },
    { publishConfig: { access: "public", exports: wrong } },
  );
  expect(found).toContainEqual(expect.stringContaining("publint"));
});

it("finds types that no module resolution reaches", async () => {
  const index = 'export { alpha } from "./part";\n';
  const found = await problems({ "index.js": code, "index.d.ts": index, "part.d.ts": types });
  expect(found).toContainEqual(expect.stringMatching(/attw: .*[Rr]esolution/));
});
