/** Every exception to a rule stands here with its reason; there is no other way to be excused. */
export const exceptions = {
  /** Edges between packages of one layer: `from → to`. */
  layerEdges: new Map([
    ["@chorus/cli → @chorus/agent", "the launcher starts agents as processes of their own"],
  ]),
  /** Packages without src/contract.ts. */
  withoutContract: new Map([
    ["@chorus/kernel", "all of it is contract: brand, envelope, ids and ports are the files"],
    [
      "@chorus/node",
      "one composition, which nothing else implements: its interface stands above it in node.ts",
    ],
  ]),
  /** Files beside @chorus/shhh that may make a `Clean` value: `package → file`. */
  cleanMakers: new Map([
    [
      "@chorus/dht-storage → src/testing/contract-suite.ts",
      "test data stands in for what a scanner has passed",
    ],
    [
      "@chorus/effects → src/testing/effector-contract.ts",
      "test data stands in for what a scanner has passed",
    ],
  ]),
  /** Native package families in the lockfile that lack a platform. */
  platforms: new Map([
    ["node", "Node 24 is brought for Linux only; elsewhere tools/up.mjs asks for the user's own"],
    ["@pnpm/exe", "pnpm's own binary; where it is missing, tools/up.mjs gets pnpm through npm"],
    ["@napi-rs/lzma", "optional part of rollup, which tsup loads for declarations only; tsc makes ours"],
  ]),
} as const;
