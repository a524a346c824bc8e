import type { Clean } from "@chorus/kernel";
import { clean } from "./clean.ts";
import type { Finding, SecretStream } from "./contract.ts";
import { ShhhUsageError } from "./errors.ts";
import { fromLatin1, toLatin1 } from "./latin1.ts";
import { Scan, type Program } from "./scan.ts";
import type { Region } from "./regions.ts";
import { formatTag } from "./tag.ts";

/** Describes a region; `text` begins at `base` and holds the region's first match. */
export type Describe = (region: Region, text: string, base: number) => Finding;

/** Redacts bytes that arrive in pieces; equal to redacting them whole, wherever they are cut. */
export class RedactingStream implements SecretStream {
  readonly findings: Finding[] = [];
  readonly #scan: Scan;
  readonly #describe: Describe;
  readonly #onFinding: (finding: Finding) => void;
  /** The finding whose tag has been written and whose end is still open. */
  #open: Finding | undefined;
  #written = 0;
  #ended = false;

  constructor(program: Program, describe: Describe, onFinding: (finding: Finding) => void) {
    this.#scan = new Scan(program);
    this.#describe = describe;
    this.#onFinding = onFinding;
  }

  push(chunk: Uint8Array): Clean<Uint8Array> {
    return this.#feed(toLatin1(chunk), false);
  }

  end(): Clean<Uint8Array> {
    return this.#feed("", true);
  }

  #feed(text: string, ended: boolean): Clean<Uint8Array> {
    if (this.#ended) throw new ShhhUsageError("the stream has ended");
    this.#ended = ended;
    this.#scan.feed(text, ended);
    return clean(fromLatin1(this.#drain()));
  }

  #drain(): string {
    const scan = this.#scan;
    const settled = scan.settled();
    let out = "";
    let closed = 0;
    for (const region of scan.regions) {
      if (region.start >= settled) break;
      if (this.#open === undefined) {
        this.#open = this.#describe(region, scan.text, scan.base);
        out += this.#plain(region.start) + formatTag(region.first.detector.rule, this.#open.fingerprint);
      }
      this.#written = region.end;
      if (region.end > settled || region.tail !== undefined) break;
      this.#close({ ...this.#open, end: region.end });
      closed += 1;
    }
    if (this.#open === undefined) out += this.#plain(settled);
    scan.forget(Math.min(this.#written, settled), closed);
    return out;
  }

  #plain(to: number): string {
    const { text, base } = this.#scan;
    const from = this.#written;
    this.#written = Math.max(from, to);
    return text.slice(from - base, this.#written - base);
  }

  #close(finding: Finding): void {
    this.#open = undefined;
    this.findings.push(finding);
    this.#onFinding(finding);
  }
}
