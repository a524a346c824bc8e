import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { lineOf, tableOf, type Bench, type Figure } from "./figure.ts";

// npm run bench [-- TOPIC …]: one JSON line for each figure as it is found, then all of them as a table.
const root = process.cwd();
const wanted = process.argv.slice(2);
const files = globSync(["tools/bench/*.bench.ts", "packages/*/bench/*.bench.ts"], { cwd: root }).sort();
const benches: Bench[] = [];
for (const file of files) benches.push(await import(pathToFileURL(join(root, file)).href));
const topics = benches.map(({ topic }) => topic);
const unknown = wanted.filter((topic) => !topics.includes(topic));
if (unknown.length > 0) {
  console.error(`unknown topic ${unknown.join(", ")}; known: ${topics.join(", ")}`);
  process.exit(2);
}
const figures: Figure[] = [];
for (const { topic, run } of benches.filter((bench) => wanted.length === 0 || wanted.includes(bench.topic)))
  for await (const figure of run()) {
    if (figure.bench !== topic) throw new Error(`bench ${topic} gives a figure of "${figure.bench}"`);
    figures.push(figure);
    console.log(lineOf(figure));
  }
console.log(`\n${tableOf(figures)}`);
