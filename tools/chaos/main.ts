import { runScenario } from "../scenarios.ts";

// npm run chaos -- SCENARIO --rounds N --seed S: real processes and disks, killed at moments the seed chooses.
process.exitCode = await runScenario(process.argv.slice(2), {
  folder: import.meta.dirname,
  count: { name: "rounds", standard: 10 },
  print: (line) => console.log(line),
});
