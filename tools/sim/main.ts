import { runScenario } from "../scenarios.ts";

// npm run sim -- SCENARIO --nodes N --seeds N --seed S: one process, virtual time, all chance from the seed.
process.exitCode = await runScenario(process.argv.slice(2), {
  folder: import.meta.dirname,
  count: { name: "seeds", standard: 100 },
  print: (line) => console.log(line),
});
