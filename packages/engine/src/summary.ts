/** Reads the last word of a test runner from what it printed. */
interface Reader {
  readonly runner: string;
  readonly read: (text: string) => Counts | undefined;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped?: number;
  /** What is counted, where it is not tests. */
  readonly unit?: string;
}

const READERS: readonly Reader[] = [
  { runner: "unittest", read: readUnittest },
  { runner: "pytest", read: readPytest },
  { runner: "node:test", read: readNodeTest },
  { runner: "vitest or jest", read: readJest },
  { runner: "cargo", read: readCargo },
  { runner: "go", read: readGo },
];

/** The end of a long output is enough: every runner sums up last. */
const TAIL = 64 * 1024;

/** `12 passed, 1 failed`, or undefined when the output is not a known test runner's. */
export function summarize(output: string): string | undefined {
  const text = output.slice(-TAIL).replaceAll(COLOUR, "");
  for (const { read } of READERS) {
    const counts = read(text);
    if (counts !== undefined) return format(counts);
  }
  return undefined;
}

// oxlint-disable-next-line eslint/no-control-regex -- terminal colours begin with a control character
const COLOUR = /\u001b\[[0-9;]{0,16}m/g;

function format({ passed, failed, skipped = 0, unit }: Counts): string {
  const what = unit === undefined ? "" : ` ${unit}`;
  return `${passed}${what} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function last(text: string, pattern: RegExp): RegExpMatchArray | undefined {
  return Array.from(text.matchAll(pattern)).at(-1);
}

/** The number before or after a word, 0 when it is not there. */
function count(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** `Ran 13 tests in 0.004s`, then `OK` or `FAILED (failures=1, errors=2, skipped=3)`. */
function readUnittest(text: string): Counts | undefined {
  const match = last(
    text,
    /^Ran (\d{1,9}) tests? in [^\n]{1,40}\n\s{0,9}\n?(OK|FAILED|NO TESTS RAN)([^\n]{0,200})$/gm,
  );
  if (match === undefined) return undefined;
  const details = match[3] ?? "";
  const failed =
    count(details, /failures=(\d{1,9})/) +
    count(details, /errors=(\d{1,9})/) +
    count(details, /unexpected successes=(\d{1,9})/);
  const skipped = count(details, /skipped=(\d{1,9})/);
  // An error while loading is counted by unittest as a failure but not always as a test.
  return { passed: Math.max(0, Number(match[1]) - failed - skipped), failed, skipped };
}

/** `===== 1 failed, 11 passed, 2 skipped in 0.12s =====`, without the signs when quiet. */
function readPytest(text: string): Counts | undefined {
  const line = last(text, /^=*\s?([^\n=]{0,200}) in \d[\d.]{0,12}s(?: \([^\n)]{1,20}\))?\s?=*$/gm)?.[1];
  if (line === undefined || !/\d (?:passed|failed|errors?|skipped|deselected)/.test(line)) return undefined;
  return {
    passed: count(line, /(\d{1,9}) passed/),
    failed: count(line, /(\d{1,9}) failed/) + count(line, /(\d{1,9}) errors?/),
    skipped: count(line, /(\d{1,9}) skipped/),
  };
}

/** `# pass 5` (TAP) or `ℹ pass 5` (spec). */
function readNodeTest(text: string): Counts | undefined {
  const number = (word: string): number | undefined => {
    const value = last(text, new RegExp(`^(?:#|ℹ) ${word} (\\d{1,9})$`, "gm"))?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const [passed, failed] = [number("pass"), number("fail")];
  if (passed === undefined || failed === undefined) return undefined;
  return { passed, failed: failed + (number("cancelled") ?? 0), skipped: number("skipped") ?? 0 };
}

/** `Tests  1 failed | 11 passed (12)` or `Tests: 1 failed, 11 passed, 12 total`. */
function readJest(text: string): Counts | undefined {
  const line = last(text, /^\s{0,9}Tests:?\s{1,9}(\d[^\n]{1,200})$/gm)?.[1];
  if (line === undefined || !/passed|failed/.test(line)) return undefined;
  return {
    passed: count(line, /(\d{1,9}) passed/),
    failed: count(line, /(\d{1,9}) failed/),
    skipped: count(line, /(\d{1,9}) skipped/),
  };
}

/** `test result: ok. 3 passed; 0 failed; 1 ignored; …`, once for each binary. */
function readCargo(text: string): Counts | undefined {
  const lines = Array.from(
    text.matchAll(/^test result: \w{2,9}\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored/gm),
  );
  if (lines.length === 0) return undefined;
  const sum = (group: number): number => lines.reduce((total, line) => total + Number(line[group]), 0);
  return { passed: sum(1), failed: sum(2), skipped: sum(3) };
}

/** `ok  <tab>package` and `FAIL<tab>package`: go sums up by package. */
function readGo(text: string): Counts | undefined {
  const passed = Array.from(text.matchAll(/^ok {2}\t\S/gm)).length;
  const failed = Array.from(text.matchAll(/^FAIL\t\S/gm)).length;
  return passed + failed === 0 ? undefined : { passed, failed, unit: "packages" };
}
