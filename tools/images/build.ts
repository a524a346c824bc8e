import { ensureImage, type MicroKind } from "./micro.ts";

const KINDS: readonly MicroKind[] = ["python", "node"];
const isKind = (word: string): word is MicroKind => KINDS.some((kind) => kind === word);

const words = process.argv.slice(2);
const kinds = words.filter(isKind);
if (kinds.length === 0 || kinds.length < words.length) {
  console.error(`usage: node tools/images/build.ts ${KINDS.join(" | ")} …`);
  process.exitCode = 2;
} else {
  for (const kind of kinds) console.log(await ensureImage(kind));
}
