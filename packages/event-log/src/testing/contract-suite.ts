import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { type Canonical, createSigner, errorCode, type Signer } from "@chorus/kernel";
import { openCheckpoint } from "../checkpoint.ts";
import type { Checkpoint, EventLog, EventLogOptions, LogEntry } from "../contract.ts";
import { verifyConsistency, verifyInclusion } from "../proof.ts";

/** How the suite gets a log: each call makes a new, empty one with this signer and these options. */
export type ContractSetup = (signer: Signer, options: Omit<EventLogOptions, "file">) => Promise<EventLog>;

/** One thing that every event log does. Rejects when the log under test does not. */
export interface ContractCase {
  readonly name: string;
  readonly run: (open: ContractSetup) => Promise<void>;
}

const signer = await createSigner(new Uint8Array(32).fill(11));
const stranger = await createSigner(new Uint8Array(32).fill(12));
const origin = "contract.example/log";
/** SHA-256 of nothing: the root of an empty tree (RFC 6962, section 2.1). */
const EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const numbers = (from: number, to: number): Canonical[] =>
  Array.from({ length: to - from }, (_, i) => ({ n: from + i }));

async function collect(entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> {
  const list: LogEntry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

async function refused(run: () => Promise<unknown>, code: string): Promise<void> {
  await rejects(run, (error) => errorCode(error) === code);
}

/** Checkpoints after each of `sizes` appends. */
async function grow(log: EventLog, sizes: readonly number[]): Promise<Checkpoint[]> {
  const heads: Checkpoint[] = [];
  for (const size of sizes)
    heads.push((await log.append(numbers(log.head().size, log.head().size + size))).checkpoint);
  return heads;
}

/** The cases; hand each to the test runner: `for (const { name, run } of eventLogContract) it(name, () => run(open))`. */
export const eventLogContract: readonly ContractCase[] = [
  {
    name: "starts with a signed checkpoint over nothing",
    async run(open) {
      await using log = await open(signer, { origin });
      const head = await openCheckpoint(log.head().note, { origin, peer: signer.peer });
      strictEqual(head.size, 0);
      strictEqual(Buffer.from(head.root).toString("hex"), EMPTY_ROOT);
      deepStrictEqual(await collect(log.read()), []);
    },
  },
  {
    name: "gives the place of what was appended, and a checkpoint over it",
    async run(open) {
      await using log = await open(signer, { origin });
      const one = await log.append([{ a: 1 }, { b: 2 }]);
      const two = await log.append([{ c: 3 }]);
      deepStrictEqual([one.first, one.size, two.first, two.size], [0, 2, 2, 3]);
      strictEqual(two.checkpoint.size, 3);
      deepStrictEqual(log.head(), two.checkpoint);
    },
  },
  {
    name: "reads events back in order, in any range",
    async run(open) {
      await using log = await open(signer, { origin });
      const events: Canonical[] = [
        null,
        true,
        -1,
        "é",
        Uint8Array.of(1),
        [[]],
        { a: { b: [1] } },
        ...numbers(0, 200),
      ];
      await log.append(events);
      const all = await collect(log.read());
      deepStrictEqual(
        all.map(({ event }) => event),
        events,
      );
      deepStrictEqual(
        all.map(({ seq }) => seq),
        [...events.keys()],
      );
      const some = await collect(log.read({ from: 70, to: 75 }));
      deepStrictEqual(
        some.map(({ seq }) => seq),
        [70, 71, 72, 73, 74],
      );
      deepStrictEqual(await collect(log.read({ from: 500, to: 600 })), []);
      strictEqual((await collect(log.read({ from: 205, to: 900 }))).length, 2);
    },
  },
  {
    name: "keeps appends made at once whole and in the order of the calls",
    async run(open) {
      await using log = await open(signer, { origin });
      const appends = Array.from({ length: 50 }, (_, i) =>
        log.append([
          { i, part: 0 },
          { i, part: 1 },
        ]),
      );
      const results = await Promise.all(appends);
      deepStrictEqual(
        results.map(({ first }) => first),
        results.map((_, i) => i * 2),
      );
      ok(results.every(({ first, size, checkpoint }) => first + 2 <= size && checkpoint.size === size));
      const events = (await collect(log.read())).map(({ event }) => event);
      deepStrictEqual(
        events,
        results.flatMap((_, i) => [
          { i, part: 0 },
          { i, part: 1 },
        ]),
      );
    },
  },
  {
    name: "follows new entries until it is broken off, cancelled or closed",
    async run(open) {
      const log = await open(signer, { origin });
      const controller = new AbortController();
      const reason = new Error("enough");
      const untilTo = collect(log.read({ live: true, to: 3 }));
      const untilClosed = collect(log.read({ live: true, from: 1 }));
      const untilCancelled = collect(log.read({ live: true, signal: controller.signal }));
      const cancelled = rejects(untilCancelled, (error) => error === reason);
      await log.append(numbers(0, 2));
      await log.append(numbers(2, 4));
      strictEqual((await untilTo).length, 3);
      for await (const { seq } of log.read({ live: true })) if (seq === 3) break;
      controller.abort(reason);
      await cancelled;
      await log[Symbol.asyncDispose]();
      strictEqual((await untilClosed).length, 3);
    },
  },
  {
    name: "appends all events or none",
    async run(open) {
      await using log = await open(signer, { origin, maxEventBytes: 100 });
      const wrong: Canonical[] = [{ x: 0.5 }, "\ud800", "x".repeat(101)];
      for (const event of wrong)
        await refused(() => log.append([{ fine: 1 }, event]), "kernel/invalid-input");
      await refused(() => log.append([]), "kernel/invalid-input");
      await refused(() => log.append(numbers(0, 4097)), "kernel/invalid-input");
      strictEqual(log.head().size, 0);
      strictEqual((await log.append(["x".repeat(98)])).size, 1);
    },
  },
  {
    name: "does not append what was cancelled before it began",
    async run(open) {
      await using log = await open(signer, { origin });
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      await rejects(log.append([{ a: 1 }], { signal }), (error) => error === reason);
      const controller = new AbortController();
      const running = log.append([{ b: 1 }]);
      const waiting = rejects(
        log.append([{ c: 1 }], { signal: controller.signal }),
        (error) => error === reason,
      );
      controller.abort(reason);
      await Promise.all([running, waiting]);
      deepStrictEqual(
        (await collect(log.read())).map(({ event }) => event),
        [{ b: 1 }],
      );
    },
  },
  {
    name: "proves every entry in every size, and nothing else",
    async run(open) {
      await using log = await open(signer, { origin });
      const heads = await grow(
        log,
        Array.from({ length: 20 }, () => 1),
      );
      const entries = await collect(log.read());
      for (const head of heads)
        for (const { seq, bytes } of entries.slice(0, head.size)) {
          const proof = await log.prove(seq, head.size);
          ok(verifyInclusion({ bytes, seq, head, proof }), `${seq} in ${head.size}`);
          ok(!verifyInclusion({ bytes: Uint8Array.of(...bytes, 0), seq, head, proof }));
        }
      await refused(() => log.prove(20, 20), "kernel/invalid-input");
      await refused(() => log.prove(0, 21), "kernel/invalid-input");
      await refused(() => log.prove(-1, 5), "kernel/invalid-input");
    },
  },
  {
    name: "proves that each state goes on from each earlier one",
    async run(open) {
      await using log = await open(signer, { origin });
      const heads = await grow(log, [1, 1, 1, 1, 3, 1, 8, 4, 13]);
      for (const newer of heads)
        for (const older of heads.filter(({ size }) => size <= newer.size)) {
          const proof = await log.consistency(older.size, newer.size);
          ok(verifyConsistency({ older, newer, proof }), `${older.size} in ${newer.size}`);
        }
      await refused(() => log.consistency(0, 5), "kernel/invalid-input");
      await refused(() => log.consistency(6, 5), "kernel/invalid-input");
      await refused(() => log.consistency(1, 34), "kernel/invalid-input");
    },
  },
  {
    name: "finds nothing wrong with itself",
    async run(open) {
      await using log = await open(signer, { origin });
      await grow(log, [1, 100, 30]);
      deepStrictEqual(await log.verify(), { checked: 131, size: 131, problems: [] });
      strictEqual((await log.append([1])).size, 132);
    },
  },
  {
    name: "takes back its own checkpoints, and only those",
    async run(open) {
      await using log = await open(signer, { origin });
      await using foreign = await open(stranger, { origin });
      await using renamed = await open(signer, { origin: "contract.example/other" });
      const heads = await grow(log, [3, 4]);
      for (const { note } of heads) await log.confirm(note);
      await refused(() => log.confirm(foreign.head().note), "event-log/bad-checkpoint");
      await refused(() => log.confirm(renamed.head().note), "event-log/bad-checkpoint");
      await refused(() => log.confirm(log.head().note.replace("7\n", "8\n")), "event-log/bad-checkpoint");
      strictEqual((await log.append([1])).size, 8);
    },
  },
  {
    name: "appends nothing once a peer holds more of it than it has",
    async run(open) {
      await using log = await open(signer, { origin });
      await using longer = await open(signer, { origin });
      await grow(log, [3]);
      const [head] = await grow(longer, [5]);
      await log.confirm(head?.note ?? "");
      await refused(() => log.append([1]), "event-log/behind");
      strictEqual((await collect(log.read())).length, 3);
    },
  },
  {
    name: "appends nothing once it has signed two histories",
    async run(open) {
      await using log = await open(signer, { origin });
      await using other = await open(signer, { origin });
      await grow(log, [3]);
      const { checkpoint } = await other.append(["another story"]);
      await log.confirm(checkpoint.note);
      await refused(() => log.append([1]), "event-log/forked");
    },
  },
  {
    name: "finishes what it took on before it closes, and then refuses",
    async run(open) {
      const log = await open(signer, { origin });
      const pending = log.append([{ a: 1 }]);
      await Promise.all([log[Symbol.asyncDispose](), log[Symbol.asyncDispose]()]);
      strictEqual((await pending).size, 1);
      await refused(() => log.append([1]), "event-log/closed");
      await refused(() => collect(log.read({ to: 1 })), "event-log/closed");
      await refused(() => log.prove(0, 1), "event-log/closed");
      await refused(() => log.verify(), "event-log/closed");
    },
  },
];
