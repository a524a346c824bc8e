import { Decrypter, Encrypter } from "age-encryption";
import { CiphertextError, NoRecipientsError } from "./errors.ts";

/** The library has no bound: a header of 2 MB with 20,000 stanzas costs it 14 seconds. */
const MAX_HEADER_BYTES = 65_536;
export const MAX_STANZAS = 64;
/** Up to here plaintext is handled whole, so that nothing is released before its end is authenticated. */
export const MAX_WHOLE_BYTES = 1_048_576;
/** age adds a 16-byte tag to each 64 KiB of payload. */
const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
const STANZA_MARK = [0x2d, 0x3e, 0x20];
const END_MARK = [0x2d, 0x2d, 0x2d, 0x20];

/** Bound of the ciphertext for a plaintext of at most `plainBytes`. */
export function sealedBound(plainBytes: number): number {
  return plainBytes + MAX_HEADER_BYTES + TAG_BYTES * (Math.ceil(plainBytes / CHUNK_BYTES) + 2);
}

/** Seals at most {@link MAX_WHOLE_BYTES}. @throws NoRecipientsError */
export async function sealBytes(plain: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  if (plain.length > MAX_WHOLE_BYTES) throw new CiphertextError("too long to be sealed whole");
  return encrypterFor(recipients).encrypt(plain);
}

/** Seals a stream. What the source throws is thrown on unchanged. @throws NoRecipientsError */
export async function* sealStream(
  source: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): AsyncGenerator<Uint8Array> {
  yield* chunksOf(await encrypterFor(recipients).encrypt(readableOf(source)));
}

/** Opens ciphertext of at most {@link MAX_WHOLE_BYTES} plaintext. @throws CiphertextError */
export async function openBytes(sealed: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  if (sealed.length > sealedBound(MAX_WHOLE_BYTES)) throw new CiphertextError("too long to be opened whole");
  if (headerEnd(sealed) === undefined) throw new CiphertextError("the header has no end");
  try {
    return await decrypterFor(identities).decrypt(sealed);
  } catch (cause) {
    throw new CiphertextError("it cannot be opened", cause);
  }
}

/**
 * Opens a stream. Each chunk is authenticated, the end only when the iteration ends: until then the plaintext
 * is provisional (it may be cut short). What the source throws is thrown on unchanged.
 * @throws CiphertextError
 */
export async function* openStream(
  source: AsyncIterable<Uint8Array>,
  identities: readonly string[],
): AsyncGenerator<Uint8Array> {
  const failed: { error?: unknown } = {};
  const readable = readableOf(withCheckedHeader(noting(source, failed)));
  try {
    yield* chunksOf(await decrypterFor(identities).decrypt(readable));
  } catch (cause) {
    if ("error" in failed) throw failed.error;
    if (cause instanceof CiphertextError) throw cause;
    throw new CiphertextError("it cannot be opened", cause);
  }
}

/**
 * The position after the header, or undefined when more bytes are needed to find it.
 * @throws CiphertextError when the header is over its bounds
 */
export function headerEnd(bytes: Uint8Array): number | undefined {
  let stanzas = 0;
  let line = 0;
  while (line < MAX_HEADER_BYTES) {
    const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(0x0a, line);
    if (end === -1) break;
    if (startsWith(bytes, line, END_MARK)) return end + 1;
    if (startsWith(bytes, line, STANZA_MARK) && ++stanzas > MAX_STANZAS)
      throw new CiphertextError(`the header has more than ${MAX_STANZAS} stanzas`);
    line = end + 1;
  }
  if (bytes.length >= MAX_HEADER_BYTES)
    throw new CiphertextError(`the header is over ${MAX_HEADER_BYTES} bytes`);
  return undefined;
}

function startsWith(bytes: Uint8Array, at: number, mark: readonly number[]): boolean {
  return mark.every((byte, i) => bytes[at + i] === byte);
}

function encrypterFor(recipients: readonly string[]): Encrypter {
  if (recipients.length === 0) throw new NoRecipientsError();
  if (recipients.length > MAX_STANZAS) throw new CiphertextError(`more than ${MAX_STANZAS} recipients`);
  const encrypter = new Encrypter();
  try {
    for (const recipient of recipients) encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new CiphertextError("a recipient is not an age recipient", cause);
  }
  return encrypter;
}

function decrypterFor(identities: readonly string[]): Decrypter {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  return decrypter;
}

/** Holds the first bytes back until the header is whole and within its bounds. */
async function* withCheckedHeader(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of source) {
    if (held === undefined) {
      yield chunk;
      continue;
    }
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (headerEnd(held) === undefined) continue;
    yield held;
    held = undefined;
  }
  if (held !== undefined) throw new CiphertextError("the header has no end");
}

/** Remembers what the source threw, to tell it from what decryption throws. */
async function* noting(
  source: AsyncIterable<Uint8Array>,
  failed: { error?: unknown },
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    failed.error = error;
    throw error;
  }
}

function readableOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    // No chunk is read ahead of the consumer.
    { highWaterMark: 0 },
  );
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    ended = true;
    throw error;
  } finally {
    if (!ended) await reader.cancel();
  }
}
