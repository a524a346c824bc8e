import { describe, expect, it } from "vitest";
import { checkLayers } from "../layers.ts";
import { manifest, setup } from "./setup.ts";

/** What the check says about a workspace with these files. */
function problems(files: Readonly<Record<string, string>>): readonly string[] {
  using made = setup(files);
  return checkLayers(made.workspace);
}

const imports = (specifier: string) => ({
  "packages/alpha/src/part.ts": `import { something } from "${specifier}";\n\nexport const part = something;\n`,
});

it("has nothing to say about a generated package", () => {
  expect(problems({})).toEqual([]);
});

describe("edges", () => {
  it("refuses a sibling as a dependency", () => {
    const dependencies = { "@chorus/kernel": "workspace:^", "@chorus/beta": "workspace:^" };
    expect(problems({ "packages/alpha/package.json": manifest("alpha", { dependencies }) })).toEqual([
      "packages/alpha/package.json: domain depends sideways on @chorus/beta (domain); declare a port instead",
    ]);
  });

  it("refuses a dependency on a higher floor", () => {
    const found = problems({
      "packages/alpha/package.json": manifest("alpha", {
        dependencies: { "@chorus/kernel": "workspace:^", "@chorus/beta": "workspace:^" },
      }),
      "packages/beta/package.json": manifest("beta", { nx: { tags: ["layer:node"] } }),
    });
    expect(found).toEqual([expect.stringContaining("depends upwards on @chorus/beta (node)")]);
  });

  it("lets a test use a sibling, and no source", () => {
    const devDependencies = { "@chorus/beta": "workspace:^" };
    const found = problems({
      "packages/alpha/package.json": manifest("alpha", { devDependencies }),
      "packages/alpha/test/with-beta.test.ts": 'import { beta } from "@chorus/beta";\n\nbeta;\n',
      ...imports("@chorus/beta"),
    });
    expect(found).toEqual(['packages/alpha/src/part.ts:1: "@chorus/beta" is not declared in package.json']);
  });

  it.each([{ tags: [] }, { tags: ["layer:domain", "layer:node"] }, { tags: ["layer:attic"] }])(
    "refuses the tags $tags",
    (nx) => {
      expect(problems({ "packages/alpha/package.json": manifest("alpha", { nx }) })).toEqual([
        expect.stringContaining("nx.tags needs exactly one of"),
      ]);
    },
  );

  it("refuses an application under packages/", () => {
    expect(
      problems({ "packages/alpha/package.json": manifest("alpha", { nx: { tags: ["layer:app"] } }) }),
    ).toEqual(["packages/alpha/package.json: layer:app does not belong under packages/"]);
  });
});

describe("owners", () => {
  it.each([
    ["libp2p", "p2p"],
    ["@libp2p/noise", "p2p"],
    ["@chainsafe/libp2p-gossipsub", "p2p"],
    ["dockerode", "sandbox"],
    ["age-encryption", "dht-storage"],
    ["hono", "api, ucxi, app"],
  ])("refuses %s outside %s", (library, owners) => {
    const dependencies = { "@chorus/kernel": "workspace:^", [library]: "1.0.0" };
    expect(problems({ "packages/alpha/package.json": manifest("alpha", { dependencies }) })).toEqual([
      `packages/alpha/package.json: ${library} belongs to ${owners} alone`,
    ]);
  });
});

describe("imports", () => {
  it.each([
    ["an import", 'import { x } from "lodash/get";\n\nexport const y = x;\n'],
    ["a type import", 'import type { X } from "lodash/get";\n\nexport type Y = X;\n'],
    ["a re-export", 'export { x } from "lodash/get";\n'],
    ["a dynamic import", 'export const load = () => import("lodash/get");\n'],
    ["an import type", 'export type Y = import("lodash/get").X;\n'],
  ])("refuses %s of what is not declared", (_, text) => {
    expect(problems({ "packages/alpha/src/part.ts": text })).toEqual([
      'packages/alpha/src/part.ts:1: "lodash/get" is not declared in package.json',
    ]);
  });

  it("does not take the root's development dependencies for a source's own", () => {
    expect(problems(imports("vitest"))).toEqual([expect.stringContaining('"vitest" is not declared')]);
  });

  it("does not mistake an example in a comment for an import", () => {
    const text = '/**\n * import { x } from "lodash";\n */\nexport const part = 1;\n';
    expect(problems({ "packages/alpha/src/part.ts": text })).toEqual([]);
  });

  it.each(["src", "test", "bench"])("refuses a relative path that leaves the package from %s", (folder) => {
    const text = 'import { beta } from "../../beta/src/beta.ts";\n\nexport const part = beta;\n';
    expect(problems({ [`packages/alpha/${folder}/part.ts`]: text })).toEqual([
      `packages/alpha/${folder}/part.ts:1: "../../beta/src/beta.ts" leaves the package`,
    ]);
  });

  it("refuses Node's modules in the kernel", () => {
    const found = problems({
      "packages/kernel/package.json": manifest("kernel", {
        nx: { tags: ["layer:kernel"] },
        dependencies: {},
      }),
      "packages/kernel/src/part.ts": 'import { join } from "node:path";\n\nexport const part = join;\n',
    });
    expect(found).toEqual([expect.stringContaining("the kernel runs in browsers too")]);
  });
});

describe("Clean", () => {
  const cast = "\nexport const leak = (text: string) => text as unknown as Clean<string>;\n";

  it("refuses a cast to Clean in a source", () => {
    const text = `import type { Clean } from "@chorus/kernel";\n${cast}`;
    expect(problems({ "packages/alpha/src/part.ts": text })).toEqual([
      "packages/alpha/src/part.ts:3: only @chorus/shhh makes a Clean value",
    ]);
  });

  it("lets shhh and tests make it", () => {
    const text = `import type { Clean } from "@chorus/kernel";\n${cast}`;
    const found = problems({
      "packages/shhh/package.json": manifest("shhh", {}),
      "packages/shhh/src/clean.ts": text,
      "packages/alpha/test/clean.ts": text,
    });
    expect(found).toEqual([]);
  });
});
