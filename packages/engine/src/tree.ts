/** One thing in a folder. */
export type TreeEntry =
  | { readonly type: "file"; readonly bytes: Uint8Array; readonly executable: boolean; readonly mtime: Date }
  | { readonly type: "link"; readonly target: string; readonly mtime: Date }
  | { readonly type: "folder"; readonly mtime: Date };

/** A folder by relative paths with `/`, checked: nothing in it leads outside. */
export type Tree = ReadonlyMap<string, TreeEntry>;

/** The paths of all files, sorted. */
export function filesOf(tree: Tree): string[] {
  return Array.from(tree)
    .filter(([, { type }]) => type === "file")
    .map(([path]) => path)
    .sort();
}

/** A file's text, or undefined when there is no such file or it is not UTF-8 text. */
export function textOf(tree: Tree, path: string): string | undefined {
  const entry = tree.get(path);
  return entry?.type === "file" ? decodeText(entry.bytes) : undefined;
}

/** The bytes as text; undefined for binary: a NUL byte, or not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes and files that may still be taken in, shared by all inputs of a task. */
export interface Budget {
  bytes: number;
  files: number;
  readonly maxBytes: number;
  readonly maxFiles: number;
}
