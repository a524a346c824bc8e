import { runScenario } from "../scenarios.ts";
import { spread, worthSpreading } from "./spread.ts";

// npm run sim -- SCENARIO --nodes N --seeds N --seed S: virtual time, all chance from the seed. Many seeds are spread
// over processes; such a process has a channel to the one that made it, and ends with it.
const argv = process.argv.slice(2);
const print = (line: string): void => console.log(line);
const many = process.send === undefined ? worthSpreading(argv) : undefined;
process.once("disconnect", () => process.exit(1));
if (many !== undefined) process.exitCode = (await spread(many, print)) > 0 ? 1 : 0;
else {
  const count = { name: "seeds", standard: 100 } as const;
  process.exitCode = await runScenario(argv, { folder: import.meta.dirname, count, print });
  process.disconnect?.();
}
