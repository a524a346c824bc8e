import { randomUUID } from "node:crypto";
import { constants, type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  type Canonical,
  decodeCanonical,
  encodeCanonical,
  errorCode,
  InvalidInputError,
  type Logger,
  type PeerId,
  parsePeerId,
} from "@chorus/kernel";
import { multiaddr } from "@multiformats/multiaddr";
import { syncFolder, writeDurably } from "./durable-file.ts";

/** A member that was connected at some time, where it said it listens, and when it was last seen. */
export interface Acquaintance {
  readonly peer: PeerId;
  readonly addresses: readonly string[];
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
}

/** The members of one mesh on disk, so that a node finds its mesh after a restart without being told. */
export interface BookFile {
  /** Empty when there is none or it cannot be used; a warning says why. */
  load(): Promise<readonly Acquaintance[]>;
  /** Replaces the file as a whole, the members seen last first when there are too many. Never fails. */
  save(members: readonly Acquaintance[]): Promise<void>;
}

const MAX_MEMBERS = 256;
const MAX_ADDRESSES = 8;
const MAX_BYTES = 262_144;
const FORMAT = 1;

/** Another mesh's members in the same file are not used, and replaced. */
export function bookFile(file: string, cluster: string, logger: Logger): BookFile {
  const path = resolve(file);
  let complained = false;
  return {
    async load() {
      try {
        const bytes = await read(path);
        return bytes === undefined ? [] : parseBook(bytes, cluster);
      } catch (error) {
        logger.warn("the address book cannot be used, a new one begins", { file: path, error });
        return [];
      }
    },
    async save(members) {
      try {
        await replace(path, encodeBook(members, cluster));
        complained = false;
      } catch (error) {
        // Once: a folder that cannot be written, such as a mounted secret, is no reason to fill the log.
        if (!complained) logger.warn("the address book cannot be written", { file: path, error });
        complained = true;
      }
    },
  };
}

export function encodeBook(members: readonly Acquaintance[], cluster: string): Uint8Array {
  const recent = members.toSorted((a, b) => b.seenAt - a.seenAt).slice(0, MAX_MEMBERS);
  return encodeCanonical({
    format: FORMAT,
    cluster,
    members: recent.map(({ peer, addresses, seenAt }) => [
      peer,
      addresses.slice(0, MAX_ADDRESSES),
      Math.max(0, Math.round(seenAt)),
    ]),
  });
}

/** @throws InvalidInputError */
export function parseBook(bytes: Uint8Array, cluster: string): readonly Acquaintance[] {
  const value = decodeCanonical(bytes, { maxBytes: MAX_BYTES, maxDepth: 5 });
  if (value === null || typeof value !== "object" || !("format" in value) || value["format"] !== FORMAT)
    throw new InvalidInputError("format", "is unknown");
  if (!("members" in value) || !("cluster" in value)) throw new InvalidInputError("members", "are missing");
  const members = list(value["members"], MAX_MEMBERS).map(parseMember);
  return value["cluster"] === cluster ? members : [];
}

function parseMember(value: Canonical): Acquaintance {
  const [peer, addresses, seenAt] = list(value, 3);
  if (typeof seenAt !== "number" || !Number.isSafeInteger(seenAt))
    throw new InvalidInputError("members", "must say when they were seen");
  return { peer: parsePeerId(peer), addresses: list(addresses, MAX_ADDRESSES).map(parseAddress), seenAt };
}

function list(value: Canonical | undefined, most: number): readonly Canonical[] {
  if (!Array.isArray(value) || value.length > most)
    throw new InvalidInputError("members", `must be lists of at most ${most}`);
  return value;
}

function parseAddress(value: Canonical): string {
  if (typeof value !== "string") throw new InvalidInputError("members", "must have addresses");
  return multiaddr(value).toString();
}

async function read(path: string): Promise<Uint8Array | undefined> {
  let handle: FileHandle;
  try {
    // Without blocking: somebody may have put a pipe there.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { mode, size } = await handle.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > MAX_BYTES)
      throw new InvalidInputError("addressBookFile", "is no address book");
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Written beside and renamed: after a crash there is the old book or the new one, never half of one. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeDurably(draft, bytes);
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}
