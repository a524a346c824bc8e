import { clean } from "./clean.ts";
import type { Finding, KnownValue, Learned, Sentinel, SentinelOptions } from "./contract.ts";
import type { Detector } from "./detector.ts";
import { BlockedError, ShhhUsageError } from "./errors.ts";
import { knownDetector, whyRefused } from "./known-value.ts";
import { toLatin1 } from "./latin1.ts";
import { pemDetector } from "./pem.ts";
import { copyRedacted } from "./redact-value.ts";
import type { Region } from "./regions.ts";
import { BUILT_IN_RULES } from "./rules.ts";
import { compileProgram, scanText, type Program } from "./scan.ts";
import { RedactingStream } from "./stream.ts";
import { fingerprint, formatTag } from "./tag.ts";
import { tokenDetector } from "./token.ts";
import { urlDetector } from "./url-credentials.ts";
import { webTokenDetector } from "./web-token.ts";

const KEY_MIN = 16;
type Encoding = "utf8" | "latin1";

/**
 * Makes a sentinel: compiles the rules (some milliseconds) and keeps the known values.
 * @throws ShhhUsageError when the key is too short, RuleError when a rule cannot be used
 */
export function createSentinel(options: SentinelOptions): Sentinel {
  const { key, onFinding = () => undefined } = options;
  if (key.length < KEY_MIN) throw new ShhhUsageError(`the key needs at least ${KEY_MIN} bytes`);
  const registry = new Registry(options);
  const describe = (encoding: Encoding) => (region: Region, text: string, base: number) =>
    describeRegion(region, {
      key,
      matched: Buffer.from(text.slice(region.first.start - base, region.first.end - base), encoding),
    });
  const find = (text: string, encoding: Encoding): Finding[] =>
    scanText(registry.program(), text).map((region) => describe(encoding)(region, text, 0));
  const hide = (text: string, encoding: Encoding): { text: string; findings: Finding[] } => {
    const findings = find(text, encoding);
    for (const finding of findings) onFinding(finding);
    return { text: findings.length === 0 ? text : replace(text, findings), findings };
  };
  return {
    scan: (text) => find(text, "utf8"),
    scanBytes: (bytes) => find(toLatin1(bytes), "latin1"),
    redact: (text) => {
      const { text: hidden, findings } = hide(text, "utf8");
      return { text: clean(hidden), findings };
    },
    redactValue: (value) => {
      const findings: Finding[] = [];
      const copy = copyRedacted(value, (text, isBytes) => {
        const hidden = hide(text, isBytes ? "latin1" : "utf8");
        findings.push(...hidden.findings);
        return hidden.text;
      });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a copy of the value, leaf by leaf
      return { value: clean(copy as typeof value), findings };
    },
    stream: () => new RedactingStream(registry.program(), describe("latin1"), onFinding),
    learn: (value, label) => registry.learn({ value, label }),
    pass: (bytes) => {
      const findings = find(toLatin1(bytes), "latin1");
      for (const finding of findings) onFinding(finding);
      if (findings.length > 0) throw new BlockedError(findings);
      return clean(bytes);
    },
  };
}

/** Rules and known values, compiled when they are next needed after a change. */
class Registry {
  readonly #rules: readonly Detector[];
  readonly #known = new Set<Detector>();
  #program: Program | undefined;

  constructor({ rules = [], known = [] }: SentinelOptions) {
    const tokens = [...BUILT_IN_RULES, ...rules].map(tokenDetector);
    this.#rules = [pemDetector, urlDetector, webTokenDetector, ...tokens];
    for (const value of known) this.learn(value);
  }

  program(): Program {
    this.#program ??= compileProgram([...this.#known, ...this.#rules]);
    return this.#program;
  }

  learn({ value, label }: KnownValue): Learned {
    const reason = whyRefused(
      value,
      this.#rules.map(({ rule }) => rule),
    );
    if (reason !== undefined) return { accepted: false, reason, forget: () => undefined };
    const detector = knownDetector(value, label);
    this.#known.add(detector);
    this.#program = undefined;
    return {
      accepted: true,
      forget: () => {
        if (this.#known.delete(detector)) this.#program = undefined;
      },
    };
  }
}

function describeRegion(region: Region, { key, matched }: { key: Uint8Array; matched: Uint8Array }): Finding {
  const { detector, confidence, checksumOk } = region.first;
  return {
    rule: detector.rule,
    kind: detector.kind,
    confidence: confidence ?? detector.confidence,
    layer: detector.layer,
    start: region.start,
    end: region.end,
    fingerprint: fingerprint(key, detector.rule, detector.secret ?? matched),
    ...(checksumOk === undefined ? {} : { checksumOk }),
  };
}

function replace(text: string, findings: readonly Finding[]): string {
  let out = "";
  let at = 0;
  for (const { rule, fingerprint: print, start, end } of findings) {
    out += text.slice(at, start) + formatTag(rule, print);
    at = end;
  }
  return out + text.slice(at);
}
