import { globSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute, type Finished } from "./process.ts";
import type { Package, Workspace } from "./workspace.ts";

/** One package as the registry would get it. */
export interface Packed {
  readonly found: Package;
  readonly tarball: string;
}

/** What projects outside the workspace are made of, and where. */
export interface Outside {
  readonly workspace: Workspace;
  readonly packs: readonly Packed[];
  readonly folder: string;
}

/** Makes a project that depends on these packs and on nothing else of ours, and installs it. */
export function installOutside(
  { workspace, packs }: Outside,
  project: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const files = new Map(packs.map(({ found, tarball }) => [found.manifest.name, `file:${tarball}`]));
  const tools = workspace.manifest.devDependencies ?? {};
  mkdirSync(project);
  writeJson(join(project, "package.json"), {
    name: "outside",
    private: true,
    type: "module",
    dependencies: {
      ...Object.fromEntries(names.map((name) => [name, files.get(name)])),
      typescript: tools["typescript"],
      "@types/node": tools["@types/node"],
    },
  });
  // Inner dependencies of the packs must come from the packs too; JSON is YAML.
  writeJson(join(project, "pnpm-workspace.yaml"), {
    packages: [],
    overrides: Object.fromEntries(files),
    nodeVersion: process.versions.node,
    minimumReleaseAge: 0,
  });
  return reported(
    `installing ${names.join(", ")} outside`,
    execute(["pnpm", "install", "--prefer-offline", "--ignore-scripts", "--no-frozen-lockfile"], {
      cwd: project,
    }),
  );
}

/** Checks the project's sources, and the declarations of all that they import. */
export function typeCheck(project: string): Promise<Finished> {
  writeJson(join(project, "tsconfig.json"), {
    compilerOptions: {
      target: "es2024",
      lib: ["es2024", "esnext.disposable", "esnext.iterator", "dom", "dom.iterable"],
      types: ["node"],
      module: "nodenext",
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    },
    files: globSync("*.ts", { cwd: project }),
  });
  return execute(["node_modules/.bin/tsc", "-p", "."], { cwd: project });
}

export async function reported(what: string, running: Promise<Finished>): Promise<readonly string[]> {
  const { code, output } = await running;
  return code === 0 ? [] : [`${what} ended with ${code}:\n${output.trim()}`];
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, JSON.stringify(value, undefined, 2));
}
