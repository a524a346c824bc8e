import { createSigner, openEnvelope, sealEnvelope } from "@chorus/kernel";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { compare } from "./compare.ts";
import type { Figure } from "./figure.ts";

export const topic = "envelope";

/** What a signed message costs beyond the signature itself, which no design can save. */
export async function* run(): AsyncIterable<Figure> {
  const signer = await createSigner(new Uint8Array(32).fill(7));
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  for (const [size, letters] of [
    ["0.1 KiB", 100],
    ["16 KiB", 16_384],
  ] as const) {
    const draft = { type: "bench", cluster: "bench", body: { text: "x".repeat(letters) } };
    const sealed = await sealEnvelope(draft, signer, 0);
    const signature = sign(null, sealed, privateKey);
    const rates = await compare({
      seal: () => sealEnvelope(draft, signer, 0),
      sign: () => sign(null, sealed, privateKey),
      open: () => openEnvelope(sealed, "bench"),
      verify: () => verify(null, sealed, publicKey, signature),
    });
    const base = { bench: topic, unit: "ops/s" };
    yield {
      ...base,
      metric: `seal ${size}`,
      value: rates.seal,
      against: "node:crypto sign",
      ratio: rates.seal / rates.sign,
    };
    yield {
      ...base,
      metric: `open ${size}`,
      value: rates.open,
      against: "node:crypto verify",
      ratio: rates.open / rates.verify,
    };
  }
}
