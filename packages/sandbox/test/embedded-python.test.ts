import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox } from "../src/index.ts";

const files = {
  "money.py": "CENTS = 100\n",
  "shop/__init__.py": "from . import tax\n",
  "shop/tax.py": "RATE = 19\n",
  "test_money.py":
    "import unittest\nimport money\nimport shop\n\n\nclass Money(unittest.TestCase):\n    def test_cents(self):\n        self.assertEqual(money.CENTS + shop.tax.RATE, 119)\n\n\nif __name__ == '__main__':\n    unittest.main()\n",
  "tools/print_it.py": "import sys\nimport helper\nprint(helper.WORD, sys.argv[1:], __file__)\n",
  "tools/helper.py": "WORD = 'help'\n",
  "lib/extra.py": "X = 1\n",
};

describe("Python in the embedded engine imports a project's own modules", () => {
  let sandbox: Awaited<ReturnType<typeof createSandbox>>;
  beforeAll(async () => {
    const tar = pack();
    for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
    tar.finalize();
    sandbox = await createSandbox({ language: "python" }, { engine: "embedded" });
    await sandbox.put("data", await buffer(tar));
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  it.each([
    ["discovery", "python3 -m unittest -v", 0, /test_cents.*ok/],
    ["a module by name", "python3 -m unittest test_money", 0, /Ran 1 test/],
    ["a script", "python3 test_money.py -v", 0, /Ran 1 test/],
    [
      "a script in another folder, with arguments",
      "python3 tools/print_it.py a b",
      0,
      /help \['a', 'b'\] tools\/print_it.py/,
    ],
    ["code", "python3 -c 'import shop, sys; print(shop.tax.RATE, sys.argv[1:])' x", 0, /19 \['x'\]/],
    ["PYTHONPATH", "PYTHONPATH=/workspace/data/lib python3 -c 'import extra; print(extra.X)'", 0, /^1/m],
    [
      "the working folder of the moment",
      "cd tools && python3 -c 'import helper; print(helper.WORD)'",
      0,
      /help/,
    ],
    ["a program on standard input", "echo 'print(6*7)' | python3", 0, /42/],
    ["a script that is not there", "python3 nowhere.py", 2, /nowhere.py/],
    ["an exit code", "python3 -c 'import sys; sys.exit(3)'", 3, /^/],
  ])("%s", async (_name, command, exitCode, output) => {
    const execution = sandbox.exec(["sh", "-c", command]);
    let text = "";
    for await (const { bytes } of execution) text += Buffer.from(bytes).toString();
    expect([(await execution.result).exitCode, text]).toEqual([exitCode, expect.stringMatching(output)]);
  });
});
