import { createSandbox } from "@chorus/sandbox";
import { expect, it } from "vitest";
import { engine } from "../src/index.ts";
import type { EngineComponents, EngineTask } from "../src/contract.ts";
import { SECRET, tarOf, textOf, wordRedactor } from "./fixtures/setup.ts";

const project = {
  "money.py": "def cents(value):\n    return int(value * 100)\n",
  "tests/test_money.py": [
    "import unittest",
    "from money import cents",
    "class Money(unittest.TestCase):",
    "    def test_whole(self):",
    "        self.assertEqual(cents(2), 200)",
    "    def test_rounds(self):",
    "        self.assertEqual(cents(1.15), 115)",
    "",
  ].join("\n"),
};
const fixed = "def cents(value):\n    return round(value * 100)\n";

function components(inputs: Readonly<Record<string, Uint8Array>>): EngineComponents {
  return {
    sandboxes: {
      create: ({ language = "shell" }, { signal }) =>
        createSandbox({ language }, { engine: "embedded", signal }),
    },
    inputs: {
      async *read(address) {
        yield inputs[address] ?? new Uint8Array();
      },
    },
    redactor: wordRedactor(SECRET),
  };
}

async function run(spec: Partial<EngineTask["spec"]>, inputs: Readonly<Record<string, Uint8Array>>) {
  const output: string[] = [];
  const result = await engine(components(inputs)).execute(
    {
      id: "t",
      spec: {
        goal: "g",
        inputs: Object.keys(inputs).map((name) => ({ name, address: name, mediaType: "application/x-tar" })),
        ...spec,
      },
    },
    {
      attempt: 1,
      onOutput: ({ bytes }) => void output.push(textOf(bytes)),
      signal: AbortSignal.timeout(25_000),
    },
  );
  return { result, output: output.join("") };
}

it("shows a test that fails, applies the change, and shows that it passes, in a real sandbox", async () => {
  const inputs = { source: await tarOf(project), change: await tarOf({ "money.py": fixed }) };
  const test = "python3 -m unittest discover -s tests";
  const { result, output } = await run(
    {
      commands: [
        { run: test, allowFailure: true },
        { run: "cp -R /workspace/input/change/. ." },
        { run: test },
        { run: `mkdir -p ../output/deep && echo done > ../output/deep/note.txt && echo say ${SECRET}` },
      ],
      requirements: { language: "python" },
    },
    inputs,
  );
  expect(result.reason).toBeUndefined();
  expect(result).toMatchObject({
    outcome: "succeeded",
    isolation: { engine: "embedded", level: "simulated" },
  });
  expect(result.steps.map(({ exitCode, summary }) => [exitCode, summary])).toEqual([
    [1, "1 passed, 1 failed"],
    [0, undefined],
    [0, "2 passed, 0 failed"],
    [0, undefined],
  ]);
  expect(output).toContain("say [hidden]\n");
  expect(output).not.toContain(SECRET);
  const files = new Map(result.artifacts.map(({ path, bytes }) => [path, textOf(bytes)]));
  expect([...files.keys()]).toEqual([
    "report.json",
    "output.log",
    "changes.patch",
    "data/money.py",
    "output/deep/note.txt",
  ]);
  expect(files.get("output.log")).toBe(output);
  expect(files.get("data/money.py")).toBe(fixed);
  expect(files.get("changes.patch")).toContain(
    "-    return int(value * 100)\n+    return round(value * 100)\n",
  );
});

it("finds a project's tests by itself and runs them", async () => {
  const { result } = await run({}, { source: await tarOf({ ...project, "money.py": fixed }) });
  expect(result).toMatchObject({
    outcome: "succeeded",
    recipe: "python-unittest",
    language: "python",
    steps: [{ exitCode: 0, summary: "2 passed, 0 failed" }],
  });
  expect(result.artifacts.map(({ path }) => path)).toEqual(["report.json", "output.log"]);
});

it("says when the sandbox cannot run what the recipe found", async () => {
  const { result } = await run({}, { source: await tarOf({ "package.json": '{"scripts":{"test":"x"}}' }) });
  expect(result).toMatchObject({
    outcome: "failed",
    recipe: "npm-test",
    steps: [{ run: "npm test", outcome: "unsupported-by-engine" }],
  });
  expect(result.reason).toContain("a peer with Docker can run it");
});

it("ends a command that never does", async () => {
  const { result } = await run({ commands: [{ run: "while true; do :; done", timeoutMs: 1000 }] }, {});
  expect(result).toMatchObject({ outcome: "failed", retryable: false, steps: [{ outcome: "timeout" }] });
});
