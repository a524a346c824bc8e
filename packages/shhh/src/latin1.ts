/**
 * Bytes as text with one unit for each byte: what is looked for is ASCII, so the same scanner serves bytes and
 * text, and positions are byte offsets.
 */
export function toLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The way back, into an array of its own. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  Buffer.from(bytes.buffer).write(text, "latin1");
  return bytes;
}
