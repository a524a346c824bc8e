import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { checkApi, renderApi } from "../api.ts";
import { setup } from "./setup.ts";

const INDEX = `/** Doc. */
export type { Alpha } from "./contract.ts";
export { make as alpha } from "./alpha.ts";
`;
const CONTRACT = `import type { Inner } from "./inner.ts";
export interface Alpha {
    /** What it is. */
    readonly inner: Inner;
}
export interface Unrelated {
    readonly not: "shown";
}
`;
const ALPHA = `import type { Alpha } from "./contract.ts";
/** Makes one. */
export declare function make(): Alpha;
`;
const INNER = `export type Inner = Deeper[];
interface Deeper {
    readonly deep: true;
}
`;

function built(change: Readonly<Record<string, string>> = {}) {
  const files = {
    "index.d.ts": INDEX,
    "contract.d.ts": CONTRACT,
    "alpha.d.ts": ALPHA,
    "inner.d.ts": INNER,
    ...change,
  };
  const entries = Object.entries(files).map(([file, text]) => [`packages/alpha/dist/${file}`, text]);
  const made = setup(Object.fromEntries(entries));
  const packages = made.workspace.packages.filter(({ dir }) => dir === "packages/alpha");
  return { made, workspace: { ...made.workspace, packages }, found: packages[0]! };
}

it("shows what is exported and what that needs, without comments", () => {
  const { made, found } = built();
  using _ = made;
  expect(renderApi(found)).toBe(`// @chorus/alpha

export interface Alpha {
    readonly inner: Inner;
}

// as alpha
export declare function make(): Alpha;

// not exported, needed by the above

interface Deeper {
    readonly deep: true;
}

export type Inner = Deeper[];
`);
});

it("accepts a snapshot only when told, and then finds it equal", () => {
  const { made, workspace } = built();
  using _ = made;
  expect(checkApi(workspace, false)[0]).toContain("tools/api/alpha.txt is not what packages/alpha exports");
  expect(checkApi(workspace, true)).toEqual([]);
  expect(checkApi(workspace, false)).toEqual([]);
});

it("shows a changed type that is not itself exported, line by line", () => {
  const before = built();
  using _before = before.made;
  checkApi(before.workspace, true);
  const snapshot = readFileSync(join(before.workspace.root, "tools/api/alpha.txt"), "utf8");
  const after = built({ "inner.d.ts": INNER.replace("true", "false") });
  using _after = after.made;
  const file = join(after.workspace.root, "tools/api/alpha.txt");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, snapshot);
  expect(checkApi(after.workspace, false).slice(1)).toEqual([
    "  -     readonly deep: true;",
    "  +     readonly deep: false;",
  ]);
});

it("asks for a build where there is none", () => {
  using made = setup();
  expect(checkApi(made.workspace, false)).toContain(
    "packages/alpha: dist/index.d.ts is missing: build first",
  );
});
