import { hash } from "node:crypto";
import type * as JustBash from "just-bash";
import { guestFiles, type GuestFiles, INPUT } from "./guest-files.ts";
import type { LoadMessage, NodeEntry, RunMessage } from "./messages.ts";
import { pythonCommands } from "./python.ts";

/** Inside the child: the virtual machine of one sandbox, with its files. */
export interface Guest {
  load(message: LoadMessage, body: Uint8Array): Promise<void>;
  run(message: RunMessage, stdin: Uint8Array): Promise<RunReport>;
}

/** What one command did. */
export interface RunReport {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly changed: readonly NodeEntry[];
  readonly contents: readonly Uint8Array[];
  readonly removed: readonly string[];
  readonly refusal?: string;
}

const KEPT = ["/workspace/data", "/workspace/output"];

/** A million times what a task needs: the caller's deadline and memory limit decide, not a count. */
const NO_LIMIT = 1_000_000_000_000;

/** @param library the interpreter, handed in since the child may only read where it was told to */
export async function createGuest(
  library: typeof JustBash,
  options: { readonly maxBytes: number },
): Promise<Guest> {
  const fs = guestFiles(library, options.maxBytes);
  for (const folder of [INPUT, ...KEPT, "/tmp", "/etc"]) await fs.mkdir(folder, { recursive: true });
  fs.seal(true);
  const known = new Map<string, string>();
  const load = async ({ entries }: LoadMessage, body: Uint8Array): Promise<void> => {
    let at = 0;
    fs.seal(false);
    for (const entry of entries) {
      await place(fs, entry, body.slice(at, at + entry.size));
      at += entry.size;
    }
    fs.seal(true);
    await changes(fs, known);
  };
  return { load, run: (message, stdin) => run(library, { fs, known, message, stdin }) };
}

async function place(fs: GuestFiles, entry: NodeEntry, content: Uint8Array): Promise<void> {
  if (entry.type === "directory") {
    await fs.mkdir(entry.path, { recursive: true });
  } else {
    await fs.rm(entry.path, { force: true, recursive: true });
    if (entry.type === "symlink") await fs.symlink(entry.target ?? "", entry.path);
    else await fs.writeFile(entry.path, content);
  }
  if (entry.type !== "symlink") await fs.chmod(entry.path, entry.mode);
}

async function run(
  library: typeof JustBash,
  context: {
    readonly fs: GuestFiles;
    readonly known: Map<string, string>;
    readonly message: RunMessage;
    readonly stdin: Uint8Array;
  },
): Promise<RunReport> {
  const { fs, known, message, stdin } = context;
  const nothing = {
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
    changed: [],
    contents: [],
    removed: [],
  };
  const folder = await fs.stat(message.cwd).catch(() => undefined);
  if (folder?.isDirectory !== true)
    return { ...nothing, exitCode: 0, refusal: `there is no folder ${message.cwd}` };
  const shell = new library.Bash({
    fs,
    cwd: message.cwd,
    env: { ...message.env },
    python: true,
    javascript: true,
    customCommands: [copyCommand(library), ...pythonCommands(library)],
    executionLimits: limitsOf(message),
  });
  // What the interpreter calls node only says that it is not Node.
  for (const stub of ["/bin/node", "/usr/bin/node"]) await fs.rm(stub, { force: true });
  const [program = "", ...args] = message.argv;
  const result = await shell.exec(`'${program.replaceAll("'", `'\\''`)}'`, {
    args,
    rawScript: true,
    stdin: Buffer.from(stdin).toString("latin1"),
    stdinKind: "bytes",
  });
  return {
    exitCode: result.exitCode,
    stdout: Buffer.from(library.latin1FromBytes(library.stdoutAsBytes(result)), "latin1"),
    stderr: Buffer.from(result.stderr),
    ...(await changes(fs, known)),
  };
}

function limitsOf({
  timeoutMs,
  maxOutputBytes,
}: RunMessage): NonNullable<JustBash.BashOptions["executionLimits"]> {
  const lateMs = timeoutMs + 60_000;
  return {
    maxCommandCount: NO_LIMIT,
    maxLoopIterations: NO_LIMIT,
    maxAwkIterations: NO_LIMIT,
    maxSedIterations: NO_LIMIT,
    maxJqIterations: NO_LIMIT,
    maxWorkUnits: NO_LIMIT,
    maxExecutionTimeMs: lateMs,
    maxPythonTimeoutMs: lateMs,
    maxJsTimeoutMs: lateMs,
    maxSqliteTimeoutMs: lateMs,
    // Over the caller's cap, so that the caller can be given as much as it asked for and told of the rest.
    maxOutputSize: 2 * maxOutputBytes + 65_536,
  };
}

/** `cp -a`, which the interpreter lacks and half of all scripts use. */
function copyCommand({ defineCommand }: typeof JustBash): JustBash.Command {
  return defineCommand("cp", async (args, context) => {
    const plain = args.flatMap((word) =>
      word === "--archive" || /^-[A-Za-z]*a[A-Za-z]*$/.test(word)
        ? [
            "-r",
            "-p",
            ...(/^-[A-Za-z]+$/.test(word) ? [word.replaceAll(/[ad]/g, "")].filter((w) => w !== "-") : []),
          ]
        : [word],
    );
    const copied = await context.origCommand?.(plain);
    return copied ?? { stdout: "", stderr: "cp: not available\n", exitCode: 127 };
  });
}

/** What differs from the last call, which it remembers by content. */
async function changes(
  fs: GuestFiles,
  known: Map<string, string>,
): Promise<Pick<RunReport, "changed" | "contents" | "removed">> {
  const changed: NodeEntry[] = [];
  const contents: Uint8Array[] = [];
  const gone = new Set(known.keys());
  for (const path of fs.getAllPaths()) {
    if (!KEPT.some((folder) => path.startsWith(`${folder}/`))) continue;
    gone.delete(path);
    const { entry, content } = await look(fs, path);
    const mark = `${entry.type} ${entry.mode} ${entry.target ?? ""} ${hash("sha256", content, "base64")}`;
    if (known.get(path) === mark) continue;
    known.set(path, mark);
    changed.push(entry);
    contents.push(content);
  }
  for (const path of gone) known.delete(path);
  return { changed, contents, removed: [...gone] };
}

async function look(fs: GuestFiles, path: string): Promise<{ entry: NodeEntry; content: Uint8Array }> {
  const { isFile, isSymbolicLink, mode } = await fs.lstat(path);
  const content = isFile && !isSymbolicLink ? await fs.readFileBuffer(path) : new Uint8Array(0);
  if (isSymbolicLink)
    return { entry: { path, type: "symlink", mode, size: 0, target: await fs.readlink(path) }, content };
  return { entry: { path, type: isFile ? "file" : "directory", mode, size: content.length }, content };
}
