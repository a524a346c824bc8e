import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** Where the interpreter lies, and every path that its process has to read. */
export interface Interpreter {
  /** URL of its module. */
  readonly url: string;
  /** The library and what it depends on, under the names by which they are reached and under their real ones. */
  readonly reads: readonly string[];
}

let found: Interpreter | undefined;

/** Found once for the process: the list depends only on what is installed. */
export function findInterpreter(): Interpreter {
  found ??= find();
  return found;
}

function find(): Interpreter {
  // The entry for require stands beside the one for import; asked this way, no loader hook is in between.
  const entry = createRequire(import.meta.url).resolve("just-bash");
  const root = packageRoot(realpathSync(entry));
  const reads = new Set<string>([root]);
  addDependencies(root, reads);
  return { url: pathToFileURL(join(dirname(realpathSync(entry)), "index.js")).href, reads: [...reads] };
}

function packageRoot(file: string): string {
  let folder = dirname(file);
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

function addDependencies(root: string, reads: Set<string>): void {
  for (const name of dependenciesOf(root)) {
    const link = nearest(root, name);
    if (link === undefined || reads.has(link)) continue;
    reads.add(link);
    const real = realpathSync(link);
    reads.add(real);
    addDependencies(real, reads);
  }
}

function dependenciesOf(root: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (typeof manifest !== "object" || manifest === null || !("dependencies" in manifest)) return [];
  const { dependencies } = manifest;
  return typeof dependencies === "object" && dependencies !== null ? Object.keys(dependencies) : [];
}

/** As the loader looks: `node_modules` here, then in every folder above. */
function nearest(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
