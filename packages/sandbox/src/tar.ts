import { type EventEmitter, once } from "node:events";
import { extract, type Header, type Pack, pack } from "tar-stream";
import { BadArchiveError } from "./errors.ts";
import { showName, splitName } from "./names.ts";

/** One entry of an archive; its body must be read before the next is asked for. */
export interface TarEntry {
  readonly header: Header;
  readonly body: AsyncIterable<Uint8Array>;
}

const END_BYTES = 1024;

/**
 * Reads an archive entry by entry. Throws when it is malformed or cut off, even exactly between two entries:
 * the parser alone would take that for the end.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const parser = extract({});
  const ending = endWatch();
  const pumping = (async (): Promise<void> => {
    try {
      for await (const chunk of source) {
        ending.see(chunk);
        if (parser.destroyed) return;
        if (!parser.write(chunk)) await drained(parser, parser);
      }
      parser.end(undefined);
    } catch (error) {
      parser.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  })();
  try {
    for await (const entry of parser) {
      // Without a listener, a cut inside an entry is an uncaught error that ends the whole process.
      entry.on("error", () => undefined);
      yield { header: entry.header, body: bytesOf(entry) };
      entry.resume();
    }
    await pumping;
    if (!ending.whole()) throw new Error("the archive ends without its end mark");
  } finally {
    parser.destroy(null);
  }
}

/** Waits until more may be written, or nothing ever will be; leaves no listener behind. */
async function drained(sink: EventEmitter, owner: EventEmitter): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  try {
    await Promise.race([once(sink, "drain", { signal }), once(owner, "close", { signal })]);
  } finally {
    done.abort();
  }
}

/** Remembers whether the last two blocks were zeros. */
function endWatch(): { see(chunk: Uint8Array): void; whole(): boolean } {
  let zeros = 0;
  return {
    see(chunk) {
      let i = chunk.length;
      while (i > 0 && chunk[i - 1] === 0 && chunk.length - i < END_BYTES) i--;
      zeros = i === 0 ? zeros + chunk.length : chunk.length - i;
    },
    whole: () => zeros >= END_BYTES,
  };
}

/** A checked entry on its way in. */
export interface IncomingEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  readonly executable: boolean;
  readonly size: number;
  readonly linkname?: string;
  readonly mtime: Date;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * The entries of an archive from outside, checked; a folder always comes before what it holds.
 * Symbolic links may point anywhere, since they only ever resolve inside; nothing may be written through one.
 * @throws BadArchiveError
 */
export async function* incoming(
  tar: AsyncIterable<Uint8Array> | Uint8Array,
): AsyncGenerator<IncomingEntry, void, undefined> {
  const kinds = new Map<string, IncomingEntry["type"]>();
  try {
    for await (const { header, body } of readTar(tar instanceof Uint8Array ? one(tar) : tar)) {
      const parts = splitName(header.name);
      if (parts === undefined) throw new BadArchiveError(`unsafe name ${showName(header.name)}`);
      if (parts.length === 0) continue;
      yield* missingFolders(parts, kinds);
      const entry = {
        ...checkType(header),
        path: parts.join("/"),
        mtime: header.mtime ?? new Date(),
        body: whole(body),
      };
      checkReplacement(entry, kinds);
      kinds.set(entry.path, entry.type);
      yield entry;
    }
  } catch (error) {
    throw badArchive(error);
  }
}

async function* whole(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw badArchive(error);
  }
}

function badArchive(error: unknown): BadArchiveError {
  if (error instanceof BadArchiveError) return error;
  return new BadArchiveError(error instanceof Error ? error.message : "it cannot be read", error);
}

const TYPES = {
  file: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "symlink",
} as const;

function checkType(header: Header): Omit<IncomingEntry, "path" | "body" | "mtime"> {
  const name = header.type ?? "file";
  const type = Object.entries(TYPES).find(([key]) => key === name)?.[1];
  if (type === undefined) throw new BadArchiveError(`${showName(header.name)} is a ${name}`);
  return {
    type,
    executable: ((header.mode ?? 0) & 0o100) !== 0,
    size: type === "file" ? (header.size ?? 0) : 0,
    ...(type === "symlink" && { linkname: checkLink(header) }),
  };
}

function checkLink(header: Header): string {
  const target = header.linkname ?? "";
  if (target === "" || target.includes("\0") || Buffer.byteLength(target) > 4096)
    throw new BadArchiveError(`${showName(header.name)} links nowhere`);
  return target;
}

function checkReplacement(entry: IncomingEntry, kinds: ReadonlyMap<string, IncomingEntry["type"]>): void {
  const before = kinds.get(entry.path);
  if (before === undefined || (before === "directory" && entry.type === "directory")) return;
  throw new BadArchiveError(`${showName(entry.path)} comes twice`);
}

function* missingFolders(
  parts: readonly string[],
  kinds: Map<string, IncomingEntry["type"]>,
): Generator<IncomingEntry> {
  for (let depth = 1; depth < parts.length; depth++) {
    const path = parts.slice(0, depth).join("/");
    const kind = kinds.get(path);
    if (kind === undefined) {
      kinds.set(path, "directory");
      yield { path, type: "directory", executable: true, size: 0, mtime: new Date(), body: none() };
    } else if (kind !== "directory") throw new BadArchiveError(`${showName(path)} is not a folder`);
  }
}

/** Who owns what is unpacked. */
export interface Ownership {
  readonly uid: number;
  /** Nobody may write, not even the owner. */
  readonly readOnly: boolean;
}

/**
 * A fresh archive of checked entries, with owners and modes of our choosing only.
 * Throws what `entries` throws; then the archive has no end.
 */
export async function* repack(
  entries: AsyncIterable<IncomingEntry>,
  owner: Ownership,
): AsyncGenerator<Uint8Array> {
  const packer = pack({});
  // The reader below gets the same error.
  packer.on("error", () => undefined);
  let failure: { readonly error: unknown } | undefined;
  void fill(packer, { entries, owner }).catch((error: unknown) => {
    failure = { error };
    packer.destroy(null);
  });
  try {
    yield* bytesOf(packer);
  } catch (error) {
    if (failure === undefined) throw error;
  } finally {
    packer.destroy(null);
  }
  if (failure !== undefined) throw failure.error;
}

async function fill(
  packer: Pack,
  { entries, owner }: { readonly entries: AsyncIterable<IncomingEntry>; readonly owner: Ownership },
): Promise<void> {
  for await (const entry of entries) {
    const sink = packer.entry(headerOf(entry, owner));
    if (entry.type !== "file") continue;
    sink.on("error", () => undefined);
    for await (const chunk of entry.body) if (!sink.write(chunk)) await drained(sink, packer);
    sink.end(undefined);
  }
  packer.finalize();
}

function headerOf(entry: IncomingEntry, { uid, readOnly }: Ownership): Omit<Header, "pax"> {
  const open = entry.type === "directory" || entry.executable ? 0o755 : 0o644;
  return {
    name: entry.type === "directory" ? `${entry.path}/` : entry.path,
    type: entry.type,
    mode: readOnly ? open & 0o555 : open,
    size: entry.size,
    uid,
    gid: uid,
    uname: "",
    gname: "",
    devmajor: 0,
    devminor: 0,
    linkname: entry.linkname ?? "",
    mtime: entry.mtime,
  };
}

/** The parser's streams are typed as carrying anything; they carry bytes. */
async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("not bytes");
    yield chunk;
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* none(): AsyncGenerator<Uint8Array> {}
