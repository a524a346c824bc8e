import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { finished, pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { type Pack, pack } from "tar-stream";

/** Named by its content's versions, so that another Node makes another image. */
const NAME = `chorus/this-machine:node-${process.version.slice(1)}`;
/** What the sandbox may take the image for where the official one is neither here nor to be had. */
export const MACHINE_IMAGE_LANGUAGES: readonly string[] = ["javascript", "typescript"];
/** The shell and the small tools of a task's commands; those that this machine lacks are left out. */
const TOOLS =
  "sh cat chmod cp cut date diff dirname basename echo env expr false find grep head id kill ln ls mkdir mktemp mv printf ps pwd rm rmdir sed sleep sort tail tar tee test touch tr true uname uniq wc xargs".split(
    " ",
  );
const NEEDED = ["sh", "cat", "cp"];
const FOLDERS = "bin etc tmp proc sys dev root usr usr/bin workspace".split(" ");
const NAMES = { "etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n" };

const run = promisify(execFile);

/**
 * Makes a Docker image of this machine's own Node, shell and small tools, unless it is there: no registry, no
 * network, a few seconds. It is for a first look; a project's own tools are in official images.
 * @returns its name
 * @throws Error where this machine is not a Linux with the `docker` command, a shell and `ldd`
 */
export async function machineImage(options: {
  /** As `DOCKER_HOST`. @default the standard socket */
  readonly host: string | undefined;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { signal, host } = options;
  if (process.platform !== "linux") throw new Error("an image of this machine can be made on Linux only");
  const env = { ...process.env, ...(host === undefined ? {} : { DOCKER_HOST: host }) };
  // First of all, whether there is such a command: afterwards it is only its exit code that can be bad.
  await run("docker", ["--version"], { env, signal });
  const isThere = await run("docker", ["image", "inspect", NAME], { env, signal }).then(
    () => true,
    () => false,
  );
  signal.throwIfAborted();
  if (isThere) return NAME;
  const files = await collect(signal);
  const changes = [
    "WORKDIR /workspace",
    "ENV PATH=/usr/bin:/bin",
    `LABEL chorus.languages=${MACHINE_IMAGE_LANGUAGES.join(",")}`,
  ].flatMap((change) => ["--change", change]);
  const load = spawn("docker", ["import", ...changes, "-", NAME], {
    env,
    signal,
    stdio: ["pipe", "ignore", "pipe"],
  });
  const fed = feed(load, files);
  fed.catch(() => undefined);
  // Docker's own words come first: the pipe to it breaks because it gave up.
  await ended(load);
  await fed;
  return NAME;
}

/** Where each file lies in the image, and where it comes from. */
type Files = ReadonlyMap<string, string>;

async function collect(signal: AbortSignal): Promise<Files> {
  const node = await realpath(process.execPath);
  const files = new Map([["usr/bin/node", node]]);
  for (const tool of TOOLS) {
    const file = await firstOf([`/usr/bin/${tool}`, `/bin/${tool}`]);
    if (file !== undefined) files.set(`${tool === "sh" ? "bin" : "usr/bin"}/${tool}`, file);
    else if (NEEDED.includes(tool)) throw new Error(`this machine has no ${tool} to make an image of`);
  }
  const { stdout } = await run("ldd", [...files.values()], { signal }).catch((error: unknown) => {
    // A script or a static program among the files is told by the exit code; the rest is still listed.
    if (typeof error === "object" && error !== null && "stdout" in error) return error;
    throw error;
  });
  // Each library where the loader looks for it.
  for (const [file] of String(stdout).matchAll(/\/[^\s:]+(?=\s\(0x)/g))
    files.set(file.slice(1), await realpath(file));
  return files;
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const file = await realpath(path).catch(() => undefined);
    if (file !== undefined) return file;
  }
  return undefined;
}

async function feed(load: ChildProcess, files: Files): Promise<void> {
  if (load.stdin === null) throw new Error("docker import takes no input");
  const tar = pack();
  const written = pipeline(tar, load.stdin);
  try {
    for (const name of FOLDERS) tar.entry({ name, type: "directory", mode: name === "tmp" ? 0o1777 : 0o755 });
    for (const [name, text] of Object.entries(NAMES)) tar.entry({ name, mode: 0o644 }, text);
    for (const [name, file] of files) await add(tar, name, file);
    tar.finalize();
  } catch (error) {
    tar.destroy();
    await written.catch(() => undefined);
    throw error;
  }
  await written;
}

async function add(tar: Pack, name: string, file: string): Promise<void> {
  const { size } = await stat(file);
  const entry = tar.entry({ name, size, mode: 0o755 });
  createReadStream(file).pipe(entry);
  await finished(entry);
}

async function ended(load: ChildProcess): Promise<void> {
  let words = "";
  load.stderr?.on("data", (chunk: Buffer) => (words = (words + chunk.toString()).slice(-500)));
  const [code] = await once(load, "close");
  if (code !== 0) throw new Error(`docker import ended with ${String(code)}: ${words.trim()}`);
}
