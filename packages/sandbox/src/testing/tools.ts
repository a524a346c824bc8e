import { pack } from "tar-stream";
import type { Artifact, CollectLimits, ExecOptions, ExecResult, Sandbox } from "../contract.ts";

/** One promise of the contract, which every engine keeps or has as a named deviation. */
export interface ConformanceCase {
  readonly name: string;
  /** Rejects when the promise is broken. The sandbox is fresh and is disposed of by the caller. */
  readonly check: (sandbox: Sandbox) => Promise<void>;
}

/** A file by its content, or any entry as a tar header with content. */
export type TarInput = Readonly<Record<string, string | Uint8Array | TarInputEntry>>;

/** One entry of an archive, honest or not. */
export interface TarInputEntry {
  readonly type?: "file" | "directory" | "symlink" | "link" | "fifo" | "character-device";
  readonly mode?: number;
  readonly linkname?: string;
  readonly content?: string | Uint8Array;
}

/** A plain tar archive of `entries`, in their order; names are written as they are. */
export async function tarOf(entries: TarInput): Promise<Uint8Array> {
  const packer = pack({});
  for (const [name, value] of Object.entries(entries)) {
    const entry: TarInputEntry =
      typeof value === "string" || value instanceof Uint8Array ? { content: value } : value;
    const { content = "", ...header } = entry;
    packer.entry({ name, ...header }, Buffer.from(content));
  }
  packer.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of packer) if (piece instanceof Uint8Array) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** Everything that a command said, with its verdict. */
export interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  readonly result: ExecResult;
}

/** Runs a command to its end. */
export async function run(
  sandbox: Sandbox,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<Finished> {
  const pieces = { stdout: new Array<Uint8Array>(), stderr: new Array<Uint8Array>() };
  const execution = sandbox.exec(argv, { timeoutMs: 60_000, ...options });
  for await (const { stream, bytes } of execution) pieces[stream].push(bytes);
  return {
    stdout: Buffer.concat(pieces.stdout).toString("utf8"),
    stderr: Buffer.concat(pieces.stderr).toString("utf8"),
    result: await execution.result,
  };
}

/** {@link run} for a line of shell. */
export async function shell(sandbox: Sandbox, script: string, options: ExecOptions = {}): Promise<Finished> {
  return run(sandbox, ["sh", "-c", script], options);
}

/** A whole collection, by path. */
export async function gather(
  sandbox: Sandbox,
  from: "output" | "data",
  limits?: CollectLimits,
): Promise<{ files: Map<string, Artifact>; skipped: readonly { path: string; reason: string }[] }> {
  const collection = sandbox.collect(from, limits);
  const files = new Map<string, Artifact>();
  for await (const artifact of collection) files.set(artifact.path, artifact);
  return { files, skipped: collection.skipped };
}
