import { once } from "node:events";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { extract, type Header, pack } from "tar-stream";
import { partsOfName, showName, staysInside } from "./entry-name.ts";
import { InputRefusedError } from "./errors.ts";
import type { Budget, Tree, TreeEntry } from "./tree.ts";

const BLOCK = 512;
const END_BYTES = 1024;
/** Headers, long names and padding may come to this much besides the content. */
const OVERHEAD_BYTES = 16 * 1024 * 1024;

/** An archive that is being read: for messages, and for what all inputs may still take. */
export interface ArchiveSource {
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly budget: Budget;
}

/**
 * Reads a tar archive, plain or gzip, into memory. Nothing of what it says is believed: sizes are counted, names
 * and links are checked, and an archive that is cut off is refused, even exactly between two entries.
 * @throws InputRefusedError
 */
export async function readArchive(source: ArchiveSource): Promise<Tree> {
  const tree = new Map<string, TreeEntry>();
  try {
    for await (const { header, body } of entriesOf(counted(await unzipped(source.bytes), source)))
      await take(tree, { header, body, source });
    return tree;
  } catch (error) {
    // A refusal has said why; so has the store, when it lost the bytes. The rest is the parser speaking.
    if (error instanceof Error && "code" in error && "retryable" in error) throw error;
    const problem = error instanceof Error ? error.message : "it cannot be read";
    throw new InputRefusedError(source.name, `is not a whole tar archive (${problem})`, error);
  }
}

interface Taken {
  readonly header: Header;
  readonly body: AsyncIterable<unknown>;
  readonly source: ArchiveSource;
}

async function take(tree: Map<string, TreeEntry>, taken: Taken): Promise<void> {
  const parts = partsOfName(taken.header.name);
  if (parts === undefined) throw refused(taken, "leads out of the archive or has an unsafe name");
  if (parts.length === 0) return;
  const path = parts.join("/");
  for (let i = 1; i < parts.length; i++) {
    const above = tree.get(parts.slice(0, i).join("/"));
    if (above !== undefined && above.type !== "folder") throw refused(taken, "lies behind a file or a link");
  }
  const isKnownFolder = tree.get(path)?.type === "folder" && taken.header.type === "directory";
  if (tree.has(path) && !isKnownFolder) throw refused(taken, "comes twice");
  spend(taken.source, "files", 1);
  tree.set(path, await read(tree, path, taken));
}

async function read(tree: Tree, path: string, taken: Taken): Promise<TreeEntry> {
  const { header } = taken;
  const mtime = header.mtime ?? new Date(0);
  switch (header.type ?? "file") {
    case "directory":
      return { type: "folder", mtime };
    case "symlink":
      return { type: "link", target: checkedTarget(path, taken), mtime };
    case "link":
      return originalOf(tree, taken);
    case "file":
    case "contiguous-file":
      return { type: "file", bytes: await contentOf(taken), executable: isExecutable(header), mtime };
    case "block-device":
    case "character-device":
    case "fifo":
    default:
      throw refused(taken, `is a ${header.type}`);
  }
}

function refused({ header, source }: Taken, problem: string): InputRefusedError {
  return new InputRefusedError(source.name, `${showName(header.name)} ${problem}`);
}

function isExecutable({ mode }: Header): boolean {
  return ((mode ?? 0) & 0o100) !== 0;
}

function checkedTarget(path: string, taken: Taken): string {
  const target = taken.header.linkname ?? "";
  if (!staysInside(path, target)) throw refused(taken, "is a link out of the archive");
  return target;
}

/** A hard link is a second name of a file that came before. */
function originalOf(tree: Tree, taken: Taken): TreeEntry {
  const parts = partsOfName(taken.header.linkname ?? "") ?? [];
  const original = tree.get(parts.join("/"));
  if (original?.type !== "file") throw refused(taken, "is a hard link to nothing in the archive");
  spend(taken.source, "bytes", original.bytes.length);
  return original;
}

async function contentOf({ header, body, source }: Taken): Promise<Uint8Array> {
  // Before anything is kept: the header alone may announce terabytes.
  spend(source, "bytes", header.size ?? 0);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Takes from what all inputs may hold together. @throws InputRefusedError */
export function spend(
  { name, budget }: Omit<ArchiveSource, "bytes">,
  what: "bytes" | "files",
  amount: number,
): void {
  budget[what] += amount;
  if (budget.bytes > budget.maxBytes)
    throw new InputRefusedError(name, `the inputs are larger than ${budget.maxBytes} bytes unpacked`);
  if (budget.files > budget.maxFiles)
    throw new InputRefusedError(name, `the inputs have more than ${budget.maxFiles} files`);
}

/** Passes gzip through its decoder, and everything else as it is. */
async function unzipped(bytes: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = bytes[Symbol.asyncIterator]();
  let head = new Uint8Array();
  let ended = false;
  while (head.length < 2 && !ended) {
    const { value, done } = await iterator.next();
    if (done === true) ended = true;
    else head = new Uint8Array(Buffer.concat([head, value]));
  }
  const whole = (async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield head;
    for await (const chunk of { [Symbol.asyncIterator]: () => iterator }) yield new Uint8Array(chunk);
  })();
  if (head[0] !== 0x1f || head[1] !== 0x8b) return whole;
  const gunzip = createGunzip();
  // Failures of either side come out of the iteration.
  pipeline(Readable.from(whole), gunzip, () => undefined);
  return gunzip;
}

/** Ends a stream that is longer than any archive within the limits: long names are kept in memory by the parser. */
async function* counted(bytes: AsyncIterable<Uint8Array>, source: ArchiveSource): AsyncGenerator<Uint8Array> {
  const { budget, name } = source;
  let left = budget.maxBytes + budget.maxFiles * 2 * BLOCK + OVERHEAD_BYTES;
  for await (const chunk of bytes) {
    left -= chunk.length;
    if (left < 0)
      throw new InputRefusedError(name, `the inputs are larger than ${budget.maxBytes} bytes unpacked`);
    yield chunk;
  }
}

async function* entriesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Omit<Taken, "source">> {
  const parser = extract({});
  let zeros = 0;
  let failure: unknown;
  const pumping = (async (): Promise<void> => {
    try {
      for await (const chunk of source) {
        zeros = trailingZeros(chunk, zeros);
        if (parser.destroyed) return;
        if (!parser.write(chunk)) await Promise.race([once(parser, "drain"), once(parser, "close")]);
      }
      parser.end(undefined);
    } catch (error) {
      failure = error;
      parser.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  })();
  try {
    for await (const entry of parser) {
      // Without a listener, a cut inside an entry would be an uncaught error and end the process.
      entry.on("error", () => undefined);
      yield { header: entry.header, body: entry };
      entry.resume();
    }
    await pumping;
  } catch (error) {
    throw failure ?? error;
  } finally {
    parser.destroy(null);
  }
  if (failure !== undefined) throw failure;
  if (zeros < END_BYTES) throw new Error("it ends without its end mark");
}

function trailingZeros(chunk: Uint8Array, before: number): number {
  let i = chunk.length;
  while (i > 0 && chunk[i - 1] === 0) i -= 1;
  return i === 0 ? before + chunk.length : chunk.length - i;
}

/** Packs trees under folders of their names (`""` is the root) as a plain tar archive. */
export function packTrees(trees: Iterable<readonly [string, Tree]>): AsyncIterable<Uint8Array> {
  const packer = pack({});
  for (const [folder, tree] of trees)
    for (const [path, entry] of tree) addEntry(packer, folder === "" ? path : `${folder}/${path}`, entry);
  packer.finalize();
  return chunksOf(packer);
}

function addEntry(packer: ReturnType<typeof pack>, name: string, entry: TreeEntry): void {
  const { mtime } = entry;
  if (entry.type === "folder") packer.entry({ name: `${name}/`, type: "directory", mode: 0o755, mtime });
  else if (entry.type === "link") packer.entry({ name, type: "symlink", linkname: entry.target, mtime });
  else
    packer.entry(
      { name, mode: entry.executable ? 0o755 : 0o644, mtime },
      Buffer.from(entry.bytes.buffer, entry.bytes.byteOffset, entry.bytes.length),
    );
}

async function* chunksOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) if (chunk instanceof Uint8Array) yield chunk;
}
