import { describe, expect, it } from "vitest";
import { summarize } from "../src/summary.ts";
import { setup, tarOf } from "./fixtures/setup.ts";

describe("recipes", () => {
  it.each([
    [{ "test_a.py": "", "a.py": "" }, "python-unittest", "python3 -m unittest discover -v"],
    [{ "tests/test_a.py": "", "a.py": "" }, "python-unittest", "python3 -m unittest discover -v -s tests"],
    [
      { "tests/__init__.py": "", "tests/test_a.py": "" },
      "python-unittest",
      "python3 -m unittest discover -v -s tests -t .",
    ],
    [{ "a_test.py": "" }, "python-unittest", "python3 -m unittest discover -v -p '*_test.py'"],
    [{ "-x; rm/test_a.py": "" }, "python-unittest", "python3 -m unittest discover -v"],
    [{ "tests/conftest.py": "", "tests/test_a.py": "" }, "python-pytest", "python3 -m pytest"],
    [{ "pyproject.toml": "[tool.pytest.ini_options]\n", "t.py": "" }, "python-pytest", "python3 -m pytest"],
    [{ "package.json": '{"scripts":{"test":"vitest"}}' }, "npm-test", "npm test"],
    [
      { "package.json": '{"scripts":{"test":"echo no test specified"}}', "a.test.mjs": "" },
      "node-test",
      "node --test",
    ],
    [{ "package.json": "not json", "test/a.js": "" }, "node-test", "node --test"],
    [{ "go.mod": "", "main.go": "" }, "go-test", "go test ./..."],
    [{ "Cargo.toml": "" }, "cargo-test", "cargo test --offline"],
    [{ Makefile: "all:\n\techo\ntest: all\n\t./t\n" }, "make-test", "make test"],
  ])("%j is tested by %s", async (files, recipe, run) => {
    const { execute, sandbox, requests } = setup({ inputs: { source: await tarOf(files) } });
    const result = await execute({});
    expect(result.recipe).toBe(recipe);
    expect(sandbox.calls[0]?.argv).toEqual(["sh", "-c", run]);
    expect(requests[0]).toMatchObject({ language: result.language, files: Object.keys(files).sort() });
  });

  it.each([{ "README.md": "" }, { "node_modules/x/a.test.js": "" }, { Makefile: "test := 1\n" }])(
    "%j has none, and the reason says what was looked for and what to do",
    async (files) => {
      const result = await setup({ inputs: { source: await tarOf(files) } }).execute({});
      expect(result).toMatchObject({ outcome: "failed", retryable: false, steps: [] });
      expect(result.reason).toMatch(/looked for: pytest\.ini.*go\.mod.*add `commands`, for example/);
    },
  );

  it("keep to the language that the task requires", async () => {
    const source = await tarOf({ "test_a.py": "", "a.test.ts": "" });
    const both = setup({ inputs: { source } });
    expect(await both.execute({ requirements: { language: "typescript" } })).toMatchObject({
      recipe: "node-test",
      language: "typescript",
    });
    const none = await setup({ inputs: { source } }).execute({ requirements: { language: "go" } });
    expect(none.reason).toMatch(/^no test recipe fits the source as go/);
  });

  it("give way to the task's own commands", async () => {
    const run = setup({ inputs: { source: await tarOf({ "test_a.py": "" }) }, scripts: { mine: {} } });
    const result = await run.execute({ commands: [{ run: "mine" }] });
    expect(result).toMatchObject({ outcome: "succeeded", steps: [{ run: "mine" }] });
    expect(result.recipe).toBeUndefined();
  });
});

describe("summaries", () => {
  it.each([
    [
      "..F\n-----\nRan 13 tests in 0.004s\n\nFAILED (failures=1, errors=2, skipped=3)\n",
      "7 passed, 3 failed, 3 skipped",
    ],
    ["Ran 2 tests in 0.000s\n\nOK\n", "2 passed, 0 failed"],
    ["===== 1 failed, 11 passed, 2 skipped, 1 error in 0.12s =====\n", "11 passed, 2 failed, 2 skipped"],
    ["11 passed in 63.12s (0:01:03)\n", "11 passed, 0 failed"],
    ["\u001b[32m\u001b[1m3 passed\u001b[0m\u001b[32m in 0.01s\u001b[0m\n", "3 passed, 0 failed"],
    ["# tests 5\n# pass 4\n# fail 1\n# cancelled 0\n# skipped 0\n", "4 passed, 1 failed"],
    ["ℹ tests 5\nℹ pass 3\nℹ fail 1\nℹ cancelled 1\nℹ skipped 2\n", "3 passed, 2 failed, 2 skipped"],
    ["      Tests  1 failed | 11 passed (12)\n", "11 passed, 1 failed"],
    ["Tests:       1 failed, 2 skipped, 11 passed, 14 total\n", "11 passed, 1 failed, 2 skipped"],
    [
      "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\ntest result: FAILED. 1 passed; 2 failed; 0 ignored;",
      "4 passed, 2 failed, 1 skipped",
    ],
    ["ok  \texample/a\t0.01s\nFAIL\texample/b\t0.02s\nFAIL\n", "1 packages passed, 1 failed"],
  ])("%j", (output, summary) => expect(summarize(output)).toBe(summary));

  it.each(["", "all fine\n", "built in 3s\n", "Ran away\n", "Tests are good\n"])(
    "say nothing about %j",
    (output) => expect(summarize(output)).toBeUndefined(),
  );

  it("read the end of a long output in no time", () => {
    const before = process.cpuUsage().user;
    expect(summarize(`${"Ran 1 tests in =\n Tests: 1 ".repeat(100_000)}\nRan 1 test in 1s\n\nOK\n`)).toBe(
      "1 passed, 0 failed",
    );
    expect(process.cpuUsage().user - before).toBeLessThan(1_000_000);
  });
});
