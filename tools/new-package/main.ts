import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { writeSnapshot } from "../checks/api.ts";
import { execute } from "../checks/process.ts";
import { readWorkspace } from "../checks/workspace.ts";
import { changeset, renderPackage, withDependency, withRow, type NewPackage } from "./render.ts";

const USAGE = `npm run new-package -- NAME [--layer domain|node] [--description "one sentence"] [--dry-run]`;

const root = process.cwd();
const { wanted, dryRun } = readArguments();
const folder = `packages/${wanted.name}`;
const files = renderPackage(wanted);
if (dryRun) {
  for (const file of files.keys()) console.log(`${folder}/${file}`);
} else {
  write();
  await finish();
  console.log(`${folder} is there: change what it does, then npm run verify`);
}

function readArguments(): { readonly wanted: NewPackage; readonly dryRun: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      layer: { type: "string", default: "domain" },
      description: { type: "string" },
      "dry-run": { type: "boolean", default: false },
    },
  });
  const [name = ""] = positionals;
  const { layer, description = `What ${name} does, in one sentence` } = values;
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || positionals.length !== 1) refuse("NAME is kebab-case");
  if (layer !== "domain" && layer !== "node")
    return refuse("a layer is domain or node; kernel is one package, apps are made by hand");
  if (existsSync(join(root, "packages", name))) refuse(`packages/${name} exists`);
  return { wanted: { name, layer, description: description.replace(/\.$/, "") }, dryRun: values["dry-run"] };
}

function write(): void {
  for (const [file, text] of files) put(join(folder, file), text);
  put("package.json", withDependency(readFileSync(join(root, "package.json"), "utf8"), wanted));
  put(`.changeset/add-${wanted.name}.md`, changeset(wanted));
  if (existsSync(join(root, "README.md")))
    put("README.md", withRow(readFileSync(join(root, "README.md"), "utf8"), wanted));
}

/** Links it, puts it into the house format, builds it and takes the first snapshot of its interface. */
async function finish(): Promise<void> {
  const steps: readonly (readonly [string, ...string[]])[] = [
    ["pnpm", "install", "--no-frozen-lockfile", "--prefer-offline"],
    ["biome", "format", "--write", "--colors=off", folder],
    ["nx", "run-many", "-t", "build", "-p", `@chorus/${wanted.name}`],
  ];
  for (const step of steps) {
    const { code, output } = await execute(step, { cwd: root });
    if (code !== 0) refuse(`${step.join(" ")} failed:\n${output}`);
  }
  const made = readWorkspace(root).packages.find(({ dir }) => dir === folder);
  if (made) writeSnapshot(root, made);
}

function put(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

function refuse(problem: string): never {
  console.error(`${problem}\n${USAGE}`);
  process.exit(2);
}
