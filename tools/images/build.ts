import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { once } from "node:events";

/** Images for tests, made on this machine from its own files: no registry, no network, two or three seconds each. */
export type MicroKind = "python" | "node";

const LABEL = "chorus.recipe";
/** What the sandbox may take the image for when no other one is asked for. */
const LANGUAGES: Readonly<Record<MicroKind, string>> = {
  python: "python,shell",
  node: "javascript,typescript",
};
const REQUIRES: Readonly<Record<MicroKind, readonly string[]>> = {
  python: ["busybox-static", "python3-minimal", "libpython3-stdlib"],
  node: ["busybox-static"],
};

/**
 * Makes the image unless it is there already from the same recipe and the same files.
 * @returns its name, for example `chorus/micro-python:1`
 * @throws Error that names the missing tool and how to get it
 */
export async function ensureImage(kind: MicroKind): Promise<string> {
  const name = `chorus/micro-${kind}:1`;
  const recipe = recipeHash(kind);
  if (docker("image", "inspect", "--format", `{{index .Config.Labels "${LABEL}"}}`, name) === recipe)
    return name;
  const root = mkdtempSync(join(tmpdir(), "micro-image-"));
  try {
    base(root);
    if (kind === "python") addPython(root);
    else addNode(root);
    await importTree(root, { kind, name, recipe });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return name;
}

/** This file, and what it copies, by name and size: enough to notice another interpreter. */
function recipeHash(kind: MicroKind): string {
  const main = kind === "python" ? pythonBinary() : nodeBinary();
  const hash = createHash("sha256")
    .update(readFileSync(import.meta.filename))
    .update(main);
  hash.update(readFileSync(main)).update(readFileSync(busybox()));
  return hash.digest("hex").slice(0, 16);
}

function base(root: string): void {
  for (const folder of ["bin", "usr/bin", "etc", "tmp", "proc", "sys", "dev", "root", "workspace"])
    mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ["input", "data", "output"]) mkdirSync(join(root, "workspace", folder));
  chmodSync(join(root, "tmp"), 0o1777);
  copyFileSync(busybox(), join(root, "bin/busybox"));
  for (const applet of run(busybox(), "--list").split("\n"))
    if (applet !== "busybox" && applet !== "") symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
}

const LEFT_OUT =
  /\/(?:__pycache__|test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|pydoc_data|dist-packages|config-3[^/]*)$/;

function addPython(root: string): void {
  const binary = pythonBinary();
  const version = basename(binary);
  copyFileSync(binary, join(root, "usr/bin", version));
  for (const link of ["python3", "python"]) symlinkSync(version, join(root, "usr/bin", link));
  const library = run(binary, "-c", "import os; print(os.path.dirname(os.__file__))");
  cpSync(library, join(root, library), {
    recursive: true,
    filter: (source) => !LEFT_OUT.test(source.slice(library.length)),
  });
  const modules = join(library, "lib-dynload");
  const extensions = existsSync(modules) ? readdirSync(modules).map((file) => join(modules, file)) : [];
  addLibraries(root, [binary, ...extensions]);
}

function addNode(root: string): void {
  copyFileSync(nodeBinary(), join(root, "usr/bin/node"));
  addLibraries(root, [nodeBinary()]);
}

/** Copies the shared libraries that the loader names, each to where it is looked for. */
function addLibraries(root: string, binaries: readonly string[]): void {
  const listing = run("ldd", ...binaries);
  for (const [file] of listing.matchAll(/\/[^\s:]+(?=\s\(0x)/g)) {
    const target = join(root, file);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(file), target);
  }
}

async function importTree(
  root: string,
  image: { kind: MicroKind; name: string; recipe: string },
): Promise<void> {
  const changes = [
    "WORKDIR /workspace/data",
    "ENV PATH=/usr/bin:/bin",
    `LABEL ${LABEL}=${image.recipe} chorus.languages=${LANGUAGES[image.kind]}`,
  ];
  const flags = changes.flatMap((change) => ["--change", change]);
  const tar = spawn("tar", ["-C", root, "--numeric-owner", "--owner=0", "--group=0", "-cf", "-", "."], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const load = spawn("docker", ["import", ...flags, "-", image.name], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  tar.stdout.pipe(load.stdin);
  const codes = await Promise.all([once(tar, "close"), once(load, "close")]);
  if (codes.some(([code]) => code !== 0)) throw new Error(`image ${image.name} could not be imported`);
}

function pythonBinary(): string {
  return realpathSync(need("/usr/bin/python3", "python"));
}

function busybox(): string {
  const path = need("/bin/busybox", "python");
  if (
    !run("file", "-bL", path).includes("static") &&
    run("sh", "-c", `ldd ${path} 2>&1 || true`).includes("=>")
  )
    throw new Error(`${path} is not static; get it with: apt-get install busybox-static`);
  return path;
}

/** The Node that the workspace is pinned to: the machine's own may be older, or absent. */
function nodeBinary(): string {
  const require = createRequire(join(import.meta.dirname, "../../package.json"));
  return require.resolve(`node-linux-${process.arch}/bin/node`);
}

function need(path: string, kind: MicroKind): string {
  if (existsSync(path)) return path;
  throw new Error(`${path} is missing; get it with: apt-get install ${REQUIRES[kind].join(" ")}`);
}

/** The trimmed output, or the empty string when the engine refuses. */
function docker(...args: string[]): string {
  try {
    return run("docker", ...args);
  } catch {
    return "";
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

const KINDS: readonly MicroKind[] = ["python", "node"];

async function main(words: readonly string[]): Promise<void> {
  const kinds = KINDS.filter((kind) => words.includes(kind));
  if (kinds.length === 0 || words.some((word) => !kinds.some((kind) => kind === word))) {
    console.error(`usage: node tools/images/build.ts [${KINDS.join("] [")}]`);
    process.exitCode = 2;
    return;
  }
  for (const kind of kinds) console.log(await ensureImage(kind));
}

if (import.meta.main) await main(process.argv.slice(2));
