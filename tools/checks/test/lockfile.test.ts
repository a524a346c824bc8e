import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkCanary } from "../canary.ts";
import { exceptions } from "../exceptions.ts";
import { checkLockPlatforms } from "../lock-platforms.ts";
import { setup } from "./setup.ts";

const repository = join(import.meta.dirname, "../../..");
const excused = [...exceptions.platforms.keys()].map((name) => `  '${name}-linux-x64@1.0.0':`);

function lockfile(families: readonly string[]): readonly string[] {
  using made = setup();
  writeFileSync(
    join(made.workspace.root, "pnpm-lock.yaml"),
    `${["packages:", ...excused, ...families].join("\n")}\n`,
  );
  return checkLockPlatforms(made.workspace.root);
}

it("names a native family that lacks a platform", () => {
  const found = lockfile(["  '@fast/tool-linux-x64-gnu@2.1.0':", "  '@fast/tool-linux-arm64-gnu@2.1.0':"]);
  expect(found).toEqual([
    "pnpm-lock.yaml: @fast/tool@2.1.0 lacks darwin-arm64, win32-x64: choose a version that has them",
  ]);
});

it("is content with a complete family", () => {
  const platforms = ["linux-x64-gnu", "linux-arm64-gnu", "darwin-arm64", "win32-x64-msvc"];
  expect(lockfile(platforms.map((platform) => `  '@fast/tool-${platform}@2.1.0':`))).toEqual([]);
});

it("names an excuse that excuses nothing any more", () => {
  using made = setup({ "pnpm-lock.yaml": "packages:\n" });
  expect(checkLockPlatforms(made.workspace.root)).toHaveLength(exceptions.platforms.size);
});

it("sees the canary's cycle with the repository's own lint configuration", async () => {
  expect(await checkCanary(repository)).toEqual([]);
});

it("says so when the linter is blind", async () => {
  using made = setup({ ".oxlintrc.json": '{ "plugins": ["import"], "rules": {} }' });
  expect(await checkCanary(made.workspace.root)).toHaveLength(2);
});
