/**
 * The embedded engine's child process: an entry of its own, started by embedded/child.ts under `node --permission`.
 * Its main thread runs the interpreter and may be busy for minutes, so a second thread keeps watch.
 */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { isMainThread, Worker } from "node:worker_threads";
import { type Frame, frame, frames } from "./embedded/frames.ts";
import { createGuest, type Guest } from "./embedded/guest.ts";
import type { LoadMessage, RunMessage } from "./embedded/messages.ts";

const CHANNEL = 3;
const WATCH_MS = 25;

if (isMainThread) await serve();
else watch(process.argv.slice(2));

async function serve(): Promise<void> {
  const [library = "", , maxBytes] = process.argv.slice(2);
  const guard = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2), env: {} });
  // Nothing may run before the guard does.
  await once(guard, "online");
  guard.unref();
  const channel = new Socket({ fd: CHANNEL });
  // Without its agent it has no business.
  channel.on("close", () => process.exit(0));
  channel.on("error", () => process.exit(0));
  const guest = await createGuest(await import(library), { maxBytes: Number(maxBytes) });
  for (const piece of frame({ type: "ready" })) channel.write(piece);
  for await (const message of frames(channel, { maxBodyBytes: 0xff_ff_ff_ff })) {
    for (const piece of await answer(guest, message)) channel.write(piece);
  }
}

async function answer(guest: Guest, { header, body }: Frame): Promise<readonly Uint8Array[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own agent speaks; the child trusts it
  const message = header as LoadMessage | RunMessage;
  if (message.type === "load") {
    await guest.load(message, body);
    return [];
  }
  const { stdout, stderr, contents, ...report } = await guest.run(message, body);
  const sizes = { stdoutBytes: stdout.length, stderrBytes: stderr.length };
  return frame({ type: "done", ...report, ...sizes }, [stdout, stderr, ...contents]);
}

/**
 * Ends the process when it outgrows its memory (what WebAssembly takes is not in V8's heap) or outlives its agent, which
 * may be dead before this starts: hence the agent tells its own id.
 */
function watch([, memoryBytes, , agent]: readonly string[]): void {
  setInterval(() => {
    const tooBig = process.memoryUsage.rss() > Number(memoryBytes);
    if (tooBig) writeSync(2, "memory limit reached\n");
    if (tooBig || process.ppid !== Number(agent)) process.kill(process.pid, "SIGKILL");
  }, WATCH_MS);
}
