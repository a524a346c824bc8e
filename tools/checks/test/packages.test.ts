import { describe, expect, it } from "vitest";
import { checkManifests } from "../manifests.ts";
import { checkReadmes } from "../readme.ts";
import { adviseStructure, checkStructure } from "../structure.ts";
import { edited, manifest, setup } from "./setup.ts";
import type { Workspace } from "../workspace.ts";

function problems(
  check: (workspace: Workspace) => readonly string[],
  files: Readonly<Record<string, string>>,
): readonly string[] {
  using made = setup(files);
  return check(made.workspace);
}

it.each([checkManifests, checkStructure, checkReadmes, adviseStructure])(
  "%s has nothing to say about a generated package",
  (check) => {
    expect(problems(check, {})).toEqual([]);
  },
);

describe("manifests", () => {
  it.each<[string, Record<string, unknown>]>([
    ['type is "module"', { type: "commonjs" }],
    ['engines.node is ">=24"', { engines: { node: ">=20" } }],
    ['license is "Apache-2.0"', { license: "MIT" }],
    ["files holds", { files: ["dist"] }],
    ["description is one line of text", { description: "short" }],
    ["it has no scripts", { scripts: { build: "tsup" } }],
    ["sideEffects is false", { sideEffects: true }],
    ['exports["."] is', { exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } } }],
    ['publishConfig.access is "public"', { publishConfig: {} }],
    ["@chorus/kernel must be", { dependencies: { "@chorus/kernel": "^1.0.0" } }],
    ["the folder has the package's name", { name: "@chorus/omega" }],
  ])("expects that %s", (rule, change) => {
    const found = problems(checkManifests, { "packages/alpha/package.json": manifest("alpha", change) });
    expect(found.filter((line) => line.includes(rule))).toHaveLength(1);
  });

  it("expects ./testing exactly when there is one", () => {
    const found = problems(checkManifests, { "packages/alpha/src/testing/index.ts": "export {};\n" });
    expect(found).toEqual([expect.stringContaining('exports has "./testing" exactly when')]);
  });

  it("expects a tsconfig whose extends resolves, since the linter goes blind otherwise", () => {
    const found = problems(checkManifests, {
      "packages/alpha/tsconfig.json": '{ "extends": "../tsconfig.json" }',
    });
    expect(found).toEqual([expect.stringContaining("tsconfig.json extends ../../tsconfig.check.json")]);
  });

  it("expects an application to have a command with a main file", () => {
    const found = problems(checkManifests, {
      "apps/gamma/package.json": manifest("gamma", { nx: { tags: ["layer:app"] } }),
    });
    expect(found).toContain("apps/gamma/package.json: expected: bin names one command");
    expect(found).toContain("apps/gamma/package.json: expected: src/main.ts exists");
  });
});

describe("structure", () => {
  const index = "packages/alpha/src/index.ts";

  it("expects a README, an entry, a contract and a test", () => {
    const found = problems(checkStructure, { "packages/gamma/package.json": manifest("gamma", {}) });
    expect(found).toEqual([
      "packages/gamma/README.md is missing",
      "packages/gamma/src/index.ts is missing",
      "packages/gamma/src/contract.ts is missing",
      "packages/gamma/test holds no *.test.ts",
    ]);
  });

  it("refuses an export of everything", () => {
    const text = edited(index, /export type \{[^}]*\} from/, "export * from");
    expect(problems(checkStructure, { [index]: text })).toEqual([
      `${index} has \`export *\`: name what is public`,
    ]);
  });

  it("refuses a thirteenth name", () => {
    const names = Array.from({ length: 13 }, (_, i) => `name${i}`).join(", ");
    const text = edited(index, /^export type[^]*$/m, `export { ${names} } from "./alpha.ts";\n`);
    expect(problems(checkStructure, { [index]: text })).toEqual([`${index} exports 13 names, at most 12`]);
  });

  it("refuses more than 60 lines", () => {
    const text = edited(index, "\n *\n", `\n${" * More.\n".repeat(60)} *\n`);
    expect(problems(checkStructure, { [index]: text })).toEqual([
      expect.stringMatching(/has \d+ lines, at most 60/),
    ]);
  });

  it("refuses an entry that holds code", () => {
    const text = `${edited(index, "@example", "@example ")}\nexport const version = 1;\n`;
    expect(problems(checkStructure, { [index]: text })).toEqual([
      `${index} holds more than \`export … from\``,
    ]);
  });

  it("refuses an entry without an example", () => {
    const text = edited(index, "@example", "For example:");
    expect(problems(checkStructure, { [index]: text })).toEqual([
      `${index} has no @example in its package comment`,
    ]);
  });

  it("refuses an inner file that imports the entry", () => {
    const file = "packages/alpha/src/part.ts";
    const text = 'import { alpha } from "./index.ts";\n\nexport const part = alpha;\n';
    expect(problems(checkStructure, { [file]: text })).toEqual([
      `${file}:1: imports the package's own entry`,
    ]);
  });

  it("refuses a contract that imports its implementation", () => {
    const file = "packages/alpha/src/contract.ts";
    const text = edited(
      file,
      /^/,
      'import type { alpha } from "./alpha.ts";\n\nexport type Made = typeof alpha;\n',
    );
    expect(problems(checkStructure, { [file]: text })).toEqual([
      `${file}:1: the contract is a leaf and imports no "./alpha.ts"`,
    ]);
  });

  it("lets a long contract stand in several files, each as much a leaf", () => {
    const part = "packages/alpha/src/contract-part.ts";
    const file = "packages/alpha/src/contract.ts";
    const text = edited(
      file,
      /^/,
      'import type { Part } from "./contract-part.ts";\n\nexport type Made = Part;\n',
    );
    const leaf = "export type Part = string;\n";
    expect(problems(checkStructure, { [file]: text, [part]: leaf })).toEqual([]);
    const stray = 'import type { alpha } from "./alpha.ts";\n\nexport type Part = typeof alpha;\n';
    expect(problems(checkStructure, { [file]: text, [part]: stray })).toEqual([
      `${part}:1: the contract is a leaf and imports no "./alpha.ts"`,
    ]);
  });

  it("advises against an interface of more than seven methods", () => {
    const file = "packages/alpha/src/contract.ts";
    const methods = Array.from({ length: 8 }, (_, i) => `  method${i}(): void;\n`).join("");
    const text = `export interface Wide {\n${methods}}\n`;
    expect(problems(adviseStructure, { [file]: text })).toEqual([`${file}:1: Wide has 8 methods`]);
  });
});

describe("readmes", () => {
  const file = "packages/alpha/README.md";

  it("expects the sections in their order", () => {
    const text = edited(file, "## Contract", "## Guarantees");
    expect(problems(checkReadmes, { [file]: text })).toEqual([expect.stringContaining("its sections are")]);
  });

  it("expects one sentence before Install", () => {
    const text = edited(file, "What alpha is for.\n", "");
    expect(problems(checkReadmes, { [file]: text })).toEqual([
      expect.stringContaining("one sentence stands between"),
    ]);
  });

  it("expects the title to be the package's name", () => {
    const text = edited(file, "# @chorus/alpha\n", "# Alpha\n");
    expect(problems(checkReadmes, { [file]: text })).toEqual([`${file}: its title is not "# @chorus/alpha"`]);
  });

  it("refuses an 81st line", () => {
    const text = edited(file, "Anything", `${"More.\n".repeat(60)}Anything`);
    expect(problems(checkReadmes, { [file]: text })).toEqual([
      expect.stringMatching(/it has \d+ lines, at most 80/),
    ]);
  });

  it("expects the sample to be the entry's example", () => {
    const text = edited(file, "limit: 2", "limit: 3");
    expect(problems(checkReadmes, { [file]: text })).toEqual([
      expect.stringContaining("differs from the @example"),
    ]);
  });

  it("does not take a comment in a sample for a heading", () => {
    const files = {
      [file]: edited(file, "npm install", "## not a heading\nnpm install"),
    };
    expect(problems(checkReadmes, files)).toEqual([]);
  });

  it("expects every code of the sources in the table", () => {
    const source = "packages/alpha/src/errors.ts";
    const text = edited(source, "alpha/burnt-out", "alpha/worn-out");
    expect(problems(checkReadmes, { [source]: text })).toEqual([
      `${file}: Errors does not list \`alpha/worn-out\``,
      `${file}: Errors lists \`alpha/burnt-out\`, which no source holds`,
    ]);
  });
});
