import { join } from "node:path";
import { expect, it } from "vitest";
import { execute } from "../../checks/process.ts";
import { compare } from "../compare.ts";
import { lineOf, tableOf } from "../figure.ts";

const repository = join(import.meta.dirname, "../../..");
const bench = (...args: readonly string[]) =>
  execute([process.execPath, "--conditions=@chorus/source", "tools/bench/main.ts", ...args], {
    cwd: repository,
  });

it("prints the same six keys for every figure", () => {
  expect(lineOf({ bench: "b", metric: "m", value: 1234.56, unit: "ops/s" })).toBe(
    '{"bench":"b","metric":"m","value":1230,"unit":"ops/s","against":null,"ratio":null}',
  );
});

it("aligns numbers to the right in the table", () => {
  const one = { bench: "b", metric: "m", unit: "ms" };
  expect(
    tableOf([
      { ...one, value: 5 },
      { ...one, value: 1500, against: "x", ratio: 0.5 },
    ]),
  ).toBe(
    [
      "bench  metric  value  unit  against  ratio",
      "b      m           5  ms",
      "b      m       1,500  ms    x        × 0.5",
    ].join("\n"),
  );
});

it("finds the faster of two", async () => {
  const spin = (times: number) => () => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum += i;
    return sum;
  };
  const rates = await compare({ once: spin(1000), often: spin(10_000) }, { rounds: 5, roundMs: 5 });
  expect(rates.once).toBeGreaterThan(rates.often);
});

it("runs a topic to the end: JSON lines, then the table", async () => {
  const { code, output } = await bench("envelope");
  const [lines = "", table] = output.split("\n\n");
  const figures = lines.split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(code).toBe(0);
  expect(figures.map(({ metric }) => metric)).toEqual([
    "seal 0.1 KiB",
    "open 0.1 KiB",
    "seal 16 KiB",
    "open 16 KiB",
  ]);
  expect(figures.every(({ ratio }) => Number(ratio) > 0)).toBe(true);
  expect(table?.trimEnd().split("\n")).toHaveLength(5);
});

it("lists the topics it knows when asked for another", async () => {
  const { code, output } = await bench("nothing");
  expect(code).toBe(2);
  expect(output).toMatch(/^unknown topic nothing; known: .*canonical.*envelope/);
});
