#!/usr/bin/env node
const stop = new AbortController();
const PATIENCE_MS = 2000;
// One Ctrl-C may arrive twice, from the terminal and from npm; a later one is meant.
let askedAt = Infinity;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    if (performance.now() - askedAt > PATIENCE_MS) process.exit(130);
    askedAt = Math.min(askedAt, performance.now());
    stop.abort();
  });

const { parseArguments, usage, UsageError } = await import("./arguments.ts");
const { demo } = await import("./demo.ts");

const [command, ...args] = process.argv.slice(2);
process.exit(await run(command, args));

async function run(name: string | undefined, rest: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help") return print(usage, 0);
  if (name !== "demo") return print(`chorus: unknown command ${name}\n\n${usage}`, 2);
  try {
    const parsed = parseArguments(rest);
    if (parsed === undefined) return print(usage, 0);
    const write = (text: string): void => void process.stdout.write(text);
    return await demo(parsed, { write, env: process.env, signal: stop.signal });
  } catch (error) {
    if (error instanceof UsageError) return print(`chorus demo: ${error.message}\n`, 2);
    if (stop.signal.aborted) return 130;
    return print(`chorus demo: ${error instanceof Error ? error.message : String(error)}\n`, 1);
  }
}

function print(text: string, code: number): number {
  (code === 0 ? process.stdout : process.stderr).write(text);
  return code;
}
