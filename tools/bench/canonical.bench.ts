import { decodeCanonical, encodeCanonical, type Canonical } from "@chorus/kernel";
import * as dagCbor from "@ipld/dag-cbor";
import { compare } from "./compare.ts";
import type { Figure } from "./figure.ts";

export const topic = "canonical";

/** Messages as the mesh has them; JSON can hold them too, so that it may compete. */
const values: Readonly<Record<string, Canonical>> = {
  "beat 0.1 KiB": { type: "beat", term: 7, uptime: 86_400, load: 12, peers: ["a", "b", "c"] },
  "task 1 KiB": {
    goal: "Make the suite pass. ".repeat(20),
    commands: [{ run: "python3 -m unittest discover -v" }, { run: "git diff", allowFailure: true }],
    labels: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`label-${i}`, `value of label ${i}`])),
  },
  "list 16 KiB": Array.from({ length: 200 }, (_, i) => ({
    path: `src/part-${i}.ts`,
    mode: 420,
    size: i * 977,
    note: "x".repeat(24),
  })),
};

export async function* run(): AsyncIterable<Figure> {
  for (const [name, value] of Object.entries(values)) {
    const bytes = encodeCanonical(value);
    const text = JSON.stringify(value);
    const encode = await compare({
      ours: () => encodeCanonical(value),
      codec: () => dagCbor.encode(value),
      json: () => JSON.stringify(value),
    });
    yield* figures(`encode ${name}`, encode);
    const decode = await compare({
      ours: () => decodeCanonical(bytes),
      codec: () => dagCbor.decode(bytes),
      json: () => JSON.parse(text),
    });
    yield* figures(`decode ${name}`, decode);
  }
}

function* figures(
  metric: string,
  rates: Readonly<Record<"ours" | "codec" | "json", number>>,
): Iterable<Figure> {
  const base = { bench: topic, metric, value: rates.ours, unit: "ops/s" };
  yield { ...base, against: "@ipld/dag-cbor without checks", ratio: rates.ours / rates.codec };
  yield { ...base, against: "JSON", ratio: rates.ours / rates.json };
}
