/** One measured number. */
export interface Figure {
  /** The bench's topic. */
  readonly bench: string;
  /** What was measured: `encode 1 KiB`. */
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, where it is. */
  readonly against?: string;
  /** `value` divided by that one's value, in the same unit and taken in the same rounds. */
  readonly ratio?: number;
}

/** What a `*.bench.ts` file exports. */
export interface Bench {
  readonly topic: string;
  readonly run: () => AsyncIterable<Figure>;
}

const KEYS = ["bench", "metric", "value", "unit", "against", "ratio"] as const;

/** One line for machines: always the same six keys. */
export function lineOf(figure: Figure): string {
  const { bench, metric, value, unit, against = null, ratio = null } = figure;
  return JSON.stringify({
    bench,
    metric,
    value: rounded(value),
    unit,
    against,
    ratio: ratio && rounded(ratio),
  });
}

/** A table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ bench, metric, value, unit, against = "", ratio }) => [
    bench,
    metric,
    rounded(value).toLocaleString("en"),
    unit,
    against,
    ratio === undefined ? "" : `× ${rounded(ratio)}`,
  ]);
  const all = [[...KEYS], ...rows];
  const widths = KEYS.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => KEYS[column] === "value" || KEYS[column] === "ratio";
  const cell = (text: string, column: number) =>
    isNumber(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  return all.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

/** Three significant digits: more would pretend to a precision that a shared machine does not have. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
