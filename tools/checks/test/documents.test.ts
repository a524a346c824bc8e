import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkFrontPage } from "../front-page.ts";
import { checkLinks } from "../links.ts";
import { checkSamples } from "../samples.ts";
import { edited, setup } from "./setup.ts";

const repository = join(import.meta.dirname, "../../..");

it("follows links to files, headings and paths in code", () => {
  using made = setup({
    "apps/docs/index.md": [
      "# Docs",
      "[ok](../../packages/alpha/README.md#not-here) [outside](https://example.org/x) [here](#docs)",
      "[gone](gone.md) [no heading](../../packages/alpha/README.md#nowhere) [away](../../../../../etc/passwd)",
      "`packages/alpha/src/alpha.ts` `packages/alpha/src/omega.ts` `packages/NAME/src`",
      "```md",
      "[in a sample](nowhere.md)",
      "```",
      "",
    ].join("\n"),
  });
  expect(checkLinks(made.workspace)).toEqual([
    "apps/docs/index.md: the link to gone.md leads nowhere",
    "apps/docs/index.md: ../../packages/alpha/README.md#nowhere names no heading of packages/alpha/README.md",
    expect.stringContaining("passwd leaves the repository"),
    "apps/docs/index.md: `packages/alpha/src/omega.ts` does not exist",
  ]);
});

it("expects the front page to name the commands and every package, and no command that does not exist", () => {
  const scripts = { start: "", test: "", verify: "" };
  using made = setup({
    "package.json": JSON.stringify({ name: "root", scripts }),
    "README.md": "# X\n\n`npm start`, `npm test`, `npm run fly`\n\n| [alpha](packages/alpha) | what |\n",
  });
  expect(checkFrontPage(made.workspace)).toEqual([
    "README.md: it does not name `npm run verify`",
    'README.md: there is no script "fly"',
    "README.md: no row of the table links to packages/beta",
  ]);
});

it("type-checks and runs samples, and names the README they stand in", async () => {
  const readme = "packages/alpha/README.md";
  using made = setup({
    [readme]: edited(
      readme,
      "console.log(at, left);",
      'const text: string = left;\nthrow new Error("no light");',
    ),
    "apps/docs/index.md": "```ts\nconst never: string = 1;\n```\n",
  });
  const { root } = made.workspace;
  for (const file of ["tsconfig.base.json", "tsconfig.check.json"])
    cpSync(join(repository, file), join(root, file));
  mkdirSync(join(root, "node_modules/@chorus"), { recursive: true });
  symlinkSync(join(repository, "node_modules/@types"), join(root, "node_modules/@types"));
  for (const name of ["alpha", "beta"]) {
    symlinkSync(join(root, "packages", name), join(root, "node_modules/@chorus", name));
    symlinkSync(join(repository, "node_modules"), join(root, "packages", name, "node_modules"));
  }
  symlinkSync(join(repository, "packages/kernel"), join(root, "node_modules/@chorus/kernel"));
  const problems = await checkSamples(made.workspace);
  expect(problems).toEqual([
    expect.stringMatching(/^packages\/alpha\/README\.md: sample alpha\.ts.*TS2322/),
    expect.stringMatching(/^apps\/docs\/index\.md: sample apps-docs-index-1\.ts.*TS2322/),
    expect.stringMatching(/^packages\/alpha\/README\.md: its sample ends with 1:[^]*no light/),
  ]);
});
