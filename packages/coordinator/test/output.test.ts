import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import type { OutputChunk } from "../src/contract-task.ts";
import { OutputLog, type OutputPiece } from "../src/output-log.ts";
import { succeeded } from "../src/testing/index.ts";
import { endedAt, gate, type Member, mesh, signal, submission, through, viewOf } from "./fixtures/mesh.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
const directory = (): string => {
  const made = mkdtempSync(join(tmpdir(), "chorus-output-"));
  directories.push(made);
  return made;
};

const bytesOf = (text: string) => new TextEncoder().encode(text) as never;
const textOf = (pieces: readonly { readonly bytes: Uint8Array }[]) =>
  pieces.map(({ bytes }) => Buffer.from(bytes).toString("latin1")).join("");

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** A worker whose run prints `lines` one by one, as often as the test opens the door. */
function printer(lines: readonly string[], after: Promise<void>) {
  return async (
    _task: unknown,
    { onOutput, signal: stop }: { onOutput: (chunk: never) => void; signal: AbortSignal },
  ) => {
    for (const line of lines) onOutput({ stream: "stdout", bytes: bytesOf(line) } as never);
    await through(after, stop);
    return succeeded({ "output.log": lines.join("") });
  };
}

const working = (member: Member, id: string) => () => viewOf(member, id).state === "working";

it("shows a run's output live at any peer, and the same from the stored log afterwards", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  await net.join({ script: printer(["one\n", "two\n", "three\n"], door.opened) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(working(alice, taskId));
  const seen: OutputChunk[] = [];
  const reading = (async () => {
    for await (const chunk of alice.coordinator.output(taskId, { signal })) seen.push(chunk);
  })();
  await net.until(() => textOf(seen) === "one\ntwo\nthree\n");
  door.open();
  await net.until(endedAt(alice, taskId));
  await reading;
  expect(seen[0]).toMatchObject({ attempt: 1, offset: 0, stream: "stdout" });
  const late = await net.join({ capacity: 0 });
  expect(textOf(await all(late.coordinator.output(taskId, { signal })))).toBe("one\ntwo\nthree\n");
});

it("goes on from any offset, live and stored", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: printer(["0123456789"], door.opened) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(working(alice, taskId));
  for (const member of [alice, bob])
    for await (const chunk of member.coordinator.output(taskId, { offset: 4, signal })) {
      expect(chunk).toMatchObject({ offset: 4 });
      expect(textOf([chunk])).toBe("456789");
      break;
    }
  door.open();
  await net.until(endedAt(alice, taskId));
  expect(textOf(await all(alice.coordinator.output(taskId, { offset: 7, signal })))).toBe("789");
});

it("finishes a reader from the stored log when the worker dies after its commit", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: printer(["one\n", "two\n"], door.opened) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(working(alice, taskId));
  door.open();
  await net.until(endedAt(alice, taskId));
  bob.kill();
  expect(textOf(await all(alice.coordinator.output(taskId, { signal })))).toBe("one\ntwo\n");
});

it("says that output is lost when the worker died with it", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: printer(["one\n"], new Promise(() => undefined)) });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 1 }, submission("1"));
  await net.until(working(alice, taskId));
  const seen: OutputChunk[] = [];
  let failure: unknown;
  const reading = (async () => {
    for await (const chunk of alice.coordinator.output(taskId, { signal })) seen.push(chunk);
  })().catch((error: unknown) => (failure = error));
  await net.until(() => textOf(seen) === "one\n");
  bob.kill();
  await net.until(() => failure);
  await reading;
  expect(failure).toMatchObject({ code: "coordinator/output-lost", detail: { taskId, attempt: 1 } });
});

it("waits for the first attempt, and ends at once for a task that never had one", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const reading = all(alice.coordinator.output(taskId, { signal }));
  await net.clock.advance(1000);
  await alice.coordinator.cancel(taskId, { reason: "", signal });
  expect(await reading).toEqual([]);
});

it("ends quietly when the reader goes", async () => {
  await using net = mesh();
  const alice = await net.join({ script: printer(["one\n"], new Promise(() => undefined)) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(working(alice, taskId));
  const gone = new AbortController();
  const seen: OutputChunk[] = [];
  for await (const chunk of alice.coordinator.output(taskId, { signal: gone.signal })) {
    seen.push(chunk);
    gone.abort();
  }
  expect(textOf(seen)).toBe("one\n");
});

const write = fc.record({
  stream: fc.constantFrom("stdout" as const, "stderr" as const),
  length: fc.integer({ min: 1, max: 3000 }),
});

it("gives back every byte at its offset, whatever was written and however little memory there is", async () => {
  const at = directory();
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 40 }), fc.nat(20_000), async (writes, offset) => {
      using log = new OutputLog({ memoryBytes: 2048, file: join(at, "log") });
      let written = "";
      const streams: string[] = [];
      for (const [i, { stream, length }] of writes.entries()) {
        const text = String.fromCharCode(97 + (i % 26)).repeat(length);
        log.append(stream, bytesOf(text));
        written += text;
        streams.push(...Array<string>(length).fill(stream));
      }
      log.end();
      const from = Math.min(offset, written.length);
      const pieces = await all(log.read(from, signal));
      expect(textOf(pieces)).toBe(written.slice(from));
      let next = from;
      for (const piece of pieces) {
        expect(piece.offset).toBe(next);
        expect(new Set(streams.slice(next, next + piece.bytes.length))).toEqual(new Set([piece.stream]));
        next += piece.bytes.length;
      }
    }),
    { numRuns: 60 },
  );
});

it("keeps only the newest output without a directory, and the offsets tell what is missing", async () => {
  using log = new OutputLog({ memoryBytes: 32_768 });
  for (let i = 0; i < 100; i++) log.append("stdout", new Uint8Array(1024).fill(i));
  log.end();
  const pieces = await all(log.read(0, signal));
  expect(pieces[0]?.offset).toBeGreaterThan(60_000);
  const last = pieces.at(-1) as OutputPiece;
  expect(last.offset + last.bytes.length).toBe(102_400);
});

it("removes its files when the coordinator is disposed", async () => {
  const outputDirectory = join(directory(), "output");
  {
    await using net = mesh();
    const alice = await net.join({
      outputDirectory,
      outputMemoryBytes: 8,
      script: printer(["0123456789", "abcdefghij"], Promise.resolve()),
    });
    const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
    await net.until(endedAt(alice, taskId));
    expect(textOf(await all(alice.coordinator.output(taskId, { signal })))).toBe("0123456789abcdefghij");
    expect(readdirSync(outputDirectory)).toEqual([`${taskId}.1.log`]);
  }
  expect(existsSync(outputDirectory) && readdirSync(outputDirectory)).toEqual([]);
});
