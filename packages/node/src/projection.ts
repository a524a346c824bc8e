import type { Decision } from "@chorus/ucxl";

/** A decision as JSON for people and tools: JSON bodies are opened, other bytes are base64. Never hashed. */
export function projectDecision(decision: Decision): object {
  const { body } = decision;
  const content = "bytes" in body ? { mediaType: body.mediaType, ...open(body.mediaType, body.bytes) } : body;
  return jsonReady({ ...decision, body: content });
}

function open(mediaType: string, bytes: Uint8Array): object {
  if (mediaType.startsWith("application/json")) {
    try {
      return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown };
    } catch {
      return { base64: toBase64(bytes) };
    }
  }
  return mediaType.startsWith("text/")
    ? { text: new TextDecoder().decode(bytes) }
    : { base64: toBase64(bytes) };
}

function jsonReady(value: object): object {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    item instanceof Uint8Array ? { base64: toBase64(item) } : item,
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object goes in, so an object comes out
  return JSON.parse(text) as object;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
