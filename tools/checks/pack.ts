import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { problemAffectsResolutionKind, problemKindInfo } from "@arethetypeswrong/core/problems";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { checkExamples } from "./examples.ts";
import { installOutside, type Outside, type Packed, reported, typeCheck } from "./outside.ts";
import { execute } from "./process.ts";
import type { Package, Workspace } from "./workspace.ts";

/**
 * Packs every package, lints the tarballs, installs them in a project outside the workspace, type-checks it
 * with the libraries' declarations included, and imports every entry. Then runs the examples, each in a project that
 * has no more than it imports.
 */
export async function checkPacks(workspace: Workspace): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "pack-check-"));
  try {
    const packs = await pack(workspace, folder);
    const [lint, use] = await Promise.all([lintPacks(packs), checkUse({ workspace, packs, folder })]);
    return [...lint, ...use, ...(await checkExamples({ workspace, packs, folder }))];
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

async function checkUse(outside: Outside): Promise<readonly string[]> {
  const { packs } = outside;
  const project = join(outside.folder, "outside");
  const names = packs.map(({ found }) => found.manifest.name);
  const problems = await installOutside(outside, project, names);
  if (problems.length > 0) return problems;
  // Whoever imports an application's entry starts it.
  const libraries = packs.filter(({ found }) => found.kind === "packages");
  const entries = libraries.flatMap(({ found }) =>
    Object.keys(found.manifest.publishConfig?.exports ?? {}).map(
      (path) => found.manifest.name + path.slice(1),
    ),
  );
  const imports = entries.map((entry, i) => `import * as m${i} from "${entry}";\nvoid m${i};`);
  writeFileSync(join(project, "use.ts"), `${imports.join("\n")}\n`);
  const commands = packs.flatMap(({ found }) => Object.keys(found.manifest.publishConfig?.bin ?? {}));
  const done = await Promise.all([
    reported("type-checking the packs", typeCheck(project)),
    reported(
      "importing every entry",
      execute([process.execPath, "use.ts"], { cwd: project, timeoutMs: 60_000 }),
    ),
    ...commands.map((name) =>
      reported(
        `${name} --help`,
        execute([`node_modules/.bin/${name}`, "--help"], { cwd: project, timeoutMs: 30_000 }),
      ),
    ),
  ]);
  return done.flat();
}
