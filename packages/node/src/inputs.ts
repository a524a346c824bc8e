import { type Cid, type Clean, InvalidInputError, parseCid } from "@chorus/kernel";
import type { Inputs } from "@chorus/api";
import type { DhtStorage } from "@chorus/dht-storage";
import type { InputSource } from "@chorus/engine";
import type { Sentinel } from "@chorus/shhh";
import { InputMissingError, InputTooLargeError, SecretFoundError } from "./errors.ts";

const SCHEME = "ucxl://";

/** Keeps uploads as encrypted artifacts. They are scanned as they pass and never rewritten: one secret, no upload. */
export function inputStore(
  components: { storage: DhtStorage; sentinel: Sentinel },
  maxBytes: number,
): Inputs {
  const { storage, sentinel } = components;
  return {
    async store(bytes, { signal }) {
      const counted = { size: 0 };
      const clean = checked(bytes, { sentinel, maxBytes, counted });
      const stored = await storage.putStream(clean, { codec: "raw", class: "artifact", signal });
      return { address: `${SCHEME}${stored.cid}`, size: counted.size, replicas: stored.replicas };
    },
  };
}

/** Reads inputs back, verified, from this peer or any that has them. */
export function inputSource(storage: DhtStorage): InputSource {
  return {
    async *read(address, { signal }) {
      const bytes = await storage.getStream(cidIn(address), { signal });
      if (bytes === undefined) throw new InputMissingError(address);
      yield* bytes;
    },
  };
}

function cidIn(address: string): Cid {
  return parseCid(address.slice(SCHEME.length), "address");
}

async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  { sentinel, maxBytes, counted }: { sentinel: Sentinel; maxBytes: number; counted: { size: number } },
): AsyncGenerator<Clean<Uint8Array>> {
  const scan = sentinel.stream();
  const refuseSecrets = (): void => {
    const [first] = scan.findings;
    if (first) throw new SecretFoundError([...new Set(scan.findings.map(({ rule }) => rule))], first.start);
  };
  for await (const chunk of bytes) {
    counted.size += chunk.length;
    if (counted.size > maxBytes) throw new InputTooLargeError(maxBytes);
    const passed = scan.push(chunk);
    refuseSecrets();
    yield passed;
  }
  if (counted.size === 0) throw new InvalidInputError("body", "is empty");
  const rest = scan.end();
  refuseSecrets();
  yield rest;
}
