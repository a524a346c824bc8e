#!/usr/bin/env node
const stop = new AbortController();
// What a peer writes is for its owner alone.
process.umask(0o077);
// First of all: Node as the first process of a container ignores signals that nobody handles.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());

// A launcher that holds our standard input takes us along when it dies, however it dies.
if (process.env["CHORUS_ATTACHED"] === "true") {
  process.stdin.resume();
  process.stdin.once("close", () => stop.abort());
}

const { runPeer } = await import("@chorus/node");
const { CHORUS_ATTACHED: _attached, ...env } = process.env;
process.exit(
  await runPeer({
    binary: "chorus-agent",
    summary: "The autonomous peer of a CHORUS mesh: takes tasks, runs them, keeps its promises.",
    role: "agent",
    args: process.argv.slice(2),
    env,
    signal: stop.signal,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
  }),
);
