import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const home = join(import.meta.dirname, "..");

/** What a user of the library writes, as a program of its own. */
const PROGRAM = `
import { createSandbox } from "INDEX";
await using sandbox = await createSandbox({}, { engine: "embedded" });
const execution = sandbox.exec(["python3", "-c", "print(6 * 7)"]);
for await (const { bytes } of execution) process.stdout.write(bytes);
console.log((await execution.result).outcome);
`;

/** Runs {@link PROGRAM} against one form of the library. */
async function answer(index: string): Promise<string> {
  const program = PROGRAM.replace("INDEX", index);
  const words = ["--conditions=@chorus/source", "--input-type=module", "--eval", program];
  return (await run(process.execPath, words, { cwd: home, env: { NODE_NO_WARNINGS: "1" } })).stdout;
}

test("the embedded engine finds its child from the sources", async () => {
  expect(await answer(join(home, "src/index.ts"))).toBe("42\nexited\n");
});

test("the embedded engine finds its child from the build, also below node_modules", async () => {
  const built = await mkdtemp(join(home, "node_modules/.build-test-"));
  try {
    const tsup = createRequire(join(home, "../../package.json")).resolve("tsup");
    await run(process.execPath, [join(dirname(tsup), "cli-default.js"), "--silent", "--out-dir", built], {
      cwd: home,
      env: { PATH: process.env["PATH"] },
    });
    expect(await answer(join(built, "index.js"))).toBe("42\nexited\n");
  } finally {
    await rm(built, { recursive: true, force: true });
  }
});
