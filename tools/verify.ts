import { parseArgs } from "node:util";
import { checkApi } from "./checks/api.ts";
import { checkCanary } from "./checks/canary.ts";
import { checkFrontPage } from "./checks/front-page.ts";
import { checkLayers } from "./checks/layers.ts";
import { checkLinks } from "./checks/links.ts";
import { checkLockPlatforms } from "./checks/lock-platforms.ts";
import { checkManifests } from "./checks/manifests.ts";
import { checkPacks } from "./checks/pack.ts";
import { execute } from "./checks/process.ts";
import { checkReadmes } from "./checks/readme.ts";
import { checkSamples } from "./checks/samples.ts";
import { runSteps, type Outcome, type Step } from "./checks/schedule.ts";
import { adviseStructure, checkStructure } from "./checks/structure.ts";
import { readWorkspace } from "./checks/workspace.ts";

// npm run verify [-- --only lint,types] [-- --update]
const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    update: { type: "boolean", default: false },
    advice: { type: "boolean", default: false },
  },
});
const root = process.cwd();
const workspace = readWorkspace(root);

/** A program whose output matters when it fails. */
function program(...argv: [string, ...string[]]): Step["run"] {
  return async () => {
    const { code, output } = await execute(argv, { cwd: root });
    return code === 0 ? [] : [output.trim() || `${argv.join(" ")} ended with ${code}`];
  };
}

/** Nx shows every task; those that had nothing to say are left out. */
async function build(): Promise<readonly string[]> {
  const problems = await program("nx", "run-many", "-t", "build", "--outputStyle=static")();
  return problems.map((output) =>
    output
      .split(/^(?=> nx run )/m)
      .filter((part) => !/^> nx run [^\n]*\n\n> [^\n]*\s*$/.test(part))
      .join(""),
  );
}

const steps: readonly Step[] = [
  { name: "build", run: build },
  { name: "types", run: program("tsc", "-p", "tsconfig.json") },
  { name: "lint", run: program("oxlint", "--deny-warnings") },
  { name: "format", run: program("biome", "format", "--colors=off", ".") },
  { name: "unused", run: program("knip", "--no-progress") },
  { name: "layers", run: () => checkLayers(workspace) },
  { name: "manifests", run: () => checkManifests(workspace) },
  { name: "structure", run: () => checkStructure(workspace) },
  { name: "readmes", run: () => [...checkFrontPage(workspace), ...checkReadmes(workspace)] },
  { name: "links", run: () => checkLinks(workspace) },
  { name: "cycle-canary", run: () => checkCanary(root) },
  { name: "lock-platforms", run: () => checkLockPlatforms(root) },
  { name: "samples", run: () => checkSamples(workspace) },
  { name: "api", needs: ["build"], run: () => checkApi(workspace, values.update) },
  { name: "packs", needs: ["build"], run: () => checkPacks(workspace) },
];

const wanted = values.only === "" ? steps.map(({ name }) => name) : values.only.split(",");
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`unknown step ${unknown.join(", ")}; known: ${steps.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const from = performance.now();
const outcomes = await runSteps(
  steps.filter(({ name }) => wanted.includes(name)),
  { width: 2, onEnd: report },
);
for (const { name, problems } of outcomes.filter(({ state }) => state === "failed"))
  console.log(`\n── ${name} ──\n${problems.join("\n")}`);
if (values.advice) console.log(`\n── advice ──\n${adviseStructure(workspace).join("\n")}`);
const count = (state: Outcome["state"]) => outcomes.filter((outcome) => outcome.state === state).length;
const seconds = ((performance.now() - from) / 1000).toFixed(0);
console.log(
  `\nverify: ${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped in ${seconds} s`,
);
process.exitCode = count("failed") > 0 ? 1 : 0;

function report({ name, state, seconds: took }: Outcome): void {
  const mark = { passed: "ok", failed: "FAILED", skipped: "skipped" }[state];
  console.log(`${mark.padEnd(8)}${name.padEnd(16)}${took.toFixed(1).padStart(6)} s`);
}
