import { readArchive, spend } from "./archive.ts";
import type { InputSource, TaskInput } from "./contract.ts";
import { showName } from "./entry-name.ts";
import { InputRefusedError } from "./errors.ts";
import type { Budget, Tree, TreeEntry } from "./tree.ts";

/** The input that becomes the working tree. */
export const SOURCE = "source";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const ARCHIVE = /tar|gzip/;

/** All inputs of a task by name, unpacked in memory. @throws InputRefusedError */
export async function readInputs(
  inputs: readonly TaskInput[],
  source: InputSource,
  { budget, signal }: { readonly budget: Budget; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Tree>> {
  const trees = new Map<string, Tree>();
  for (const { name, address, mediaType } of inputs) {
    if (!NAME.test(name)) throw new InputRefusedError(showName(name), "is not a usable name");
    if (trees.has(name)) throw new InputRefusedError(name, "comes twice");
    const isArchive = ARCHIVE.test(mediaType);
    if (name === SOURCE && !isArchive)
      throw new InputRefusedError(name, `must be a tar archive (application/x-tar), not ${mediaType}`);
    const input = { name, bytes: source.read(address, { signal }), budget };
    trees.set(name, isArchive ? await readArchive(input) : await readFile(input));
    signal.throwIfAborted();
  }
  return trees;
}

/** A single file, in a folder of its own name. */
async function readFile(input: {
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly budget: Budget;
}): Promise<Tree> {
  spend(input, "files", 1);
  const chunks: Uint8Array[] = [];
  for await (const chunk of input.bytes) {
    spend(input, "bytes", chunk.length);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(Buffer.concat(chunks));
  const file: TreeEntry = { type: "file", bytes, executable: false, mtime: new Date(0) };
  return new Map([[input.name, file]]);
}
