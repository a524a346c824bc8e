import { resolve } from "node:path";
import { runCheck } from "./run.ts";

// npm run check-history -- FILE...: judges what real processes have written down. npm changes the folder it runs in.
const from = process.env["INIT_CWD"] ?? process.cwd();
process.exitCode = runCheck(
  process.argv.slice(2).map((path) => resolve(from, path)),
  (line) => console.log(line),
);
