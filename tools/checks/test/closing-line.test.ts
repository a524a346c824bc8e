import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { execute } from "../process.ts";

const repository = join(import.meta.dirname, "../../..");
// Below the repository, so that the tests in it find vitest.
mkdirSync(join(repository, "dist"), { recursive: true });
const folder = mkdtempSync(join(repository, "dist/closing-line-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function lastLine(tests: string): Promise<{ code: number; line: string | undefined }> {
  writeFileSync(
    join(folder, "one.test.ts"),
    `import { afterAll, beforeAll, describe, expect, it } from "vitest";\n${tests}`,
  );
  const reporter = join(repository, "tools/closing-line.ts");
  const { code, output } = await execute(["vitest", "run", "--root", folder, "--reporter", reporter], {
    cwd: folder,
  });
  return { code, line: output.trimEnd().split("\n").at(-1) };
}

it("counts passed, failed and skipped tests", async () => {
  const tests = 'it("a", () => {}); it("b", () => expect(1).toBe(2)); it.skip("c", () => {}); it.todo("d");';
  expect(await lastLine(tests)).toEqual({ code: 1, line: "tests: 1 passed, 1 failed, 2 skipped" });
});

it("counts a file that does not load as a failure", async () => {
  expect(await lastLine('throw new Error("no");')).toEqual({
    code: 1,
    line: "tests: 0 passed, 1 failed, 0 skipped",
  });
});

it("counts a failing hook as a failure", async () => {
  const tests = 'beforeAll(() => { throw new Error("no"); }); it("a", () => {});';
  expect(await lastLine(tests)).toMatchObject({ code: 1, line: expect.stringMatching(/ [1-9]\d* failed/) });
});

it("counts an error outside of any test as a failure", async () => {
  const tests = 'it("a", () => { void Promise.reject(new Error("late")); });';
  expect(await lastLine(tests)).toEqual({ code: 1, line: "tests: 1 passed, 1 failed, 0 skipped" });
});
