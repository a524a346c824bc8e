import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { problemAffectsResolutionKind, problemKindInfo } from "@arethetypeswrong/core/problems";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { execute, type Finished } from "./process.ts";
import type { Package, Workspace } from "./workspace.ts";

/** One package as the registry would get it. */
interface Packed {
  readonly found: Package;
  readonly tarball: string;
}

/**
 * Packs every package, lints the tarballs, installs them in a project outside the workspace, type-checks it
 * with the libraries' declarations included, and imports every entry.
 */
export async function checkPacks(workspace: Workspace): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "pack-check-"));
  try {
    const packs = await pack(workspace, folder);
    const outside = join(folder, "outside");
    const [lint, install] = await Promise.all([lintPacks(packs), installOutside(workspace, packs, outside)]);
    const use =
      install.code === 0
        ? await useOutside(packs, outside)
        : [`installing the packs outside failed:\n${install.output}`];
    return [...lint, ...use];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Packs all that is published; tarballs end up in `folder`. */
export async function pack({ root, packages }: Workspace, folder: string): Promise<readonly Packed[]> {
  const published = packages.filter(({ manifest }) => manifest.private !== true);
  const filters = published.flatMap(({ manifest }) => ["--filter", manifest.name]);
  const { code, output } = await execute(["pnpm", "-r", ...filters, "pack", "--pack-destination", folder], {
    cwd: root,
  });
  if (code !== 0) throw new Error(`pnpm pack failed:\n${output}`);
  return published.map((found) => {
    const { name, version } = found.manifest;
    return { found, tarball: join(folder, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`) };
  });
}

/** publint and attw, each in this process: their commands cost a second a package. */
export async function lintPacks(packs: readonly Packed[]): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { found, tarball } of packs) {
    const bytes = new Uint8Array(readFileSync(tarball));
    const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
    for (const message of messages) problems.push(`${found.dir}: publint: ${formatMessage(message, pkg)}`);
    if (found.kind === "packages") problems.push(...(await typeProblems(found, bytes)));
  }
  return problems;
}

/** attw's profile `esm-only`: what CommonJS would see is not promised. */
async function typeProblems({ dir }: Package, tarball: Uint8Array): Promise<readonly string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (analysis.types === false) return [`${dir}: attw: the pack holds no types`];
  return analysis.problems
    .filter((problem) =>
      (["node16-esm", "bundler"] as const).some((kind) =>
        problemAffectsResolutionKind(problem, kind, analysis),
      ),
    )
    .map((problem) => `${dir}: attw: ${problemKindInfo[problem.kind].title}: ${JSON.stringify(problem)}`);
}

function installOutside(workspace: Workspace, packs: readonly Packed[], outside: string): Promise<Finished> {
  const files = Object.fromEntries(
    packs.map(({ found, tarball }) => [found.manifest.name, `file:${tarball}`]),
  );
  const tools = workspace.manifest.devDependencies ?? {};
  mkdirSync(outside);
  writeJson(join(outside, "package.json"), {
    name: "outside",
    private: true,
    type: "module",
    dependencies: { ...files, typescript: tools["typescript"], "@types/node": tools["@types/node"] },
  });
  // Inner dependencies of the packs must come from the packs too; JSON is YAML.
  writeJson(join(outside, "pnpm-workspace.yaml"), {
    packages: [],
    overrides: files,
    nodeVersion: process.versions.node,
    minimumReleaseAge: 0,
  });
  return execute(["pnpm", "install", "--prefer-offline", "--ignore-scripts", "--no-frozen-lockfile"], {
    cwd: outside,
  });
}

async function useOutside(packs: readonly Packed[], outside: string): Promise<readonly string[]> {
  // Whoever imports an application's entry starts it.
  const libraries = packs.filter(({ found }) => found.kind === "packages");
  const entries = libraries.flatMap(({ found }) =>
    Object.keys(found.manifest.publishConfig?.exports ?? {}).map(
      (path) => found.manifest.name + path.slice(1),
    ),
  );
  const imports = entries.map((entry, i) => `import * as m${i} from "${entry}";\nvoid m${i};`);
  writeFileSync(join(outside, "use.ts"), `${imports.join("\n")}\n`);
  writeJson(join(outside, "tsconfig.json"), {
    compilerOptions: {
      target: "es2024",
      lib: ["es2024", "esnext.disposable", "esnext.iterator", "dom", "dom.iterable"],
      types: ["node"],
      module: "nodenext",
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    },
    files: ["use.ts"],
  });
  const commands = packs.flatMap(({ found }) => Object.keys(found.manifest.publishConfig?.bin ?? {}));
  const done = await Promise.all([
    reported("type-checking the packs", execute(["node_modules/.bin/tsc", "-p", "."], { cwd: outside })),
    reported(
      "importing every entry",
      execute([process.execPath, "use.ts"], { cwd: outside, timeoutMs: 60_000 }),
    ),
    ...commands.map((name) =>
      reported(
        `${name} --help`,
        execute([`node_modules/.bin/${name}`, "--help"], { cwd: outside, timeoutMs: 30_000 }),
      ),
    ),
  ]);
  return done.flat();
}

async function reported(what: string, running: Promise<Finished>): Promise<readonly string[]> {
  const { code, output } = await running;
  return code === 0 ? [] : [`${what} ended with ${code}:\n${output.trim()}`];
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, JSON.stringify(value, undefined, 2));
}
