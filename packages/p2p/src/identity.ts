import { randomUUID } from "node:crypto";
import { constants, type FileHandle, link, mkdir, open, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { createSigner, errorCode, type Signer } from "@chorus/kernel";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Ed25519PrivateKey, PrivateKey } from "@libp2p/interface";
import { syncFolder, writeDurably } from "./durable-file.ts";
import { IdentityExposedError, IdentityUnreadableError, IdentityUnwritableError } from "./errors.ts";

/** One key in both its uses: libp2p's handshakes and our signatures. */
export interface Identity {
  readonly privateKey: Ed25519PrivateKey;
  readonly signer: Signer;
}

/** A key in libp2p's protobuf takes 68 bytes; anything much larger is another kind of file. */
const MAX_KEY_BYTES = 4096;
const SEED_BYTES = 32;
const OTHERS = 0o077;

/**
 * Reads the key (libp2p protobuf, Ed25519), or makes one when there is no file yet.
 * @throws IdentityUnreadableError IdentityExposedError IdentityUnwritableError
 */
export async function loadIdentity(identityFile: string): Promise<Identity> {
  const file = resolve(identityFile);
  const bytes = (await readKey(file)) ?? (await createKey(file));
  const privateKey = parseKey(file, bytes);
  return { privateKey, signer: await createSigner(privateKey.raw.slice(0, SEED_BYTES)) };
}

function parseKey(file: string, bytes: Uint8Array): Ed25519PrivateKey {
  let key: PrivateKey;
  try {
    key = privateKeyFromProtobuf(bytes);
  } catch (cause) {
    throw new IdentityUnreadableError(file, "does not hold a libp2p private key", cause);
  }
  if (key.type !== "Ed25519") throw new IdentityUnreadableError(file, `holds a ${key.type} key, not Ed25519`);
  return key;
}

async function readKey(file: string): Promise<Uint8Array | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY);
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return undefined;
    // A parent that is a file: nothing can be made there either.
    if (errorCode(cause) === "ENOTDIR") throw new IdentityUnwritableError(file, cause);
    throw new IdentityUnreadableError(file, "cannot be opened", cause);
  }
  try {
    return await readChecked(handle, file);
  } finally {
    await handle.close();
  }
}

/** Checks the opened file itself, not its name, so that nothing can be swapped in between. */
async function readChecked(handle: FileHandle, file: string): Promise<Uint8Array> {
  const { mode, size } = await handle.stat();
  if ((mode & constants.S_IFMT) !== constants.S_IFREG)
    throw new IdentityUnreadableError(file, "is not a regular file");
  // Windows has no such bits; its access lists are the owner's to mind.
  if (process.platform !== "win32" && (mode & OTHERS) !== 0)
    throw new IdentityExposedError(file, mode & 0o777);
  if (size > MAX_KEY_BYTES) throw new IdentityUnreadableError(file, "is too large for a key");
  return handle.readFile();
}

/**
 * Writes a fresh key beside the file and links it into place: a crash leaves no half-written key, and of two
 * processes that start at once both use the same one.
 */
async function createKey(file: string): Promise<Uint8Array> {
  const draft = `${file}.${randomUUID()}`;
  const bytes = privateKeyToProtobuf(await generateKeyPair("Ed25519"));
  try {
    await makeFolder(dirname(file));
    await writeDurably(draft, bytes);
    try {
      await link(draft, file);
    } finally {
      await unlink(draft);
    }
    await syncFolder(dirname(file));
    return bytes;
  } catch (cause) {
    const winner = errorCode(cause) === "EEXIST" ? await readKey(file) : undefined;
    if (winner) return winner;
    throw new IdentityUnwritableError(file, cause);
  }
}

/** As mkdir with `recursive`, which never returns where the system answers ENOENT for ever (Linux: /proc). */
async function makeFolder(folder: string): Promise<void> {
  let problem = await tryFolder(folder);
  if (errorCode(problem) === "ENOENT") {
    await makeFolder(dirname(folder));
    problem = await tryFolder(folder);
  }
  if (problem !== undefined) throw problem;
}

/** @returns what went wrong; a folder that is there already is fine */
async function tryFolder(folder: string): Promise<Error | undefined> {
  try {
    await mkdir(folder, 0o700);
    return undefined;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return undefined;
    return error instanceof Error ? error : new Error(String(error));
  }
}
