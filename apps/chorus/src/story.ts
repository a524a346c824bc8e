/** Prints what happens, one line a step, the package's name in front and the time at the end. */
export interface Story {
  title(text: string): void;
  step(part: string, text: string, options?: { readonly timed?: boolean }): void;
  note(text: string): void;
}

const PART_WIDTH = 13;
const LINE_WIDTH = 96;

/** @param startedAt the moment that times count from, `performance.now()` */
export function story(write: (text: string) => void, startedAt: number): Story {
  return {
    title: (text) => write(`CHORUS  ${text}\n`),
    step(part, text, { timed = false } = {}) {
      const line = `  ${part.padEnd(PART_WIDTH)}${printable(text)}`;
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      write(timed ? `${line.padEnd(LINE_WIDTH)} ${seconds.padStart(5)} s\n` : `${line}\n`);
    },
    note: (text) => write(`${text}\n`),
  };
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Text from a task may hold anything; what steers a terminal is shown, not obeyed. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
