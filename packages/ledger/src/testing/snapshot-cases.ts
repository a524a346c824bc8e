import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { agree, electAny, type LedgerCase, patience } from "./case.ts";
import { LedgerMesh } from "./ledger-mesh.ts";

const SMALL = { snapshotEntries: 20, snapshotTrail: 4 };

/** What a ledger must do whose machine gives snapshots. */
export const snapshotCases: readonly LedgerCase[] = [
  {
    name: "takes in a member that joins late, or has lost its disk, by a snapshot",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, ...SMALL });
      ok(await mesh.elect(0));
      const all = await fill(mesh, 60);
      for (const n of mesh.alive) await truncated(mesh, n);
      await mesh.join(voters + 1);
      ok(await mesh.elect(0));
      deepStrictEqual(await agree(mesh, all.length), all);
      const base = await mesh.member(voters + 1).disk.store.base();
      ok(base !== undefined && base.index > 0);
      const { result } = await mesh.propose(voters + 1, "next");
      equal(result, all.length + 1);
      await agree(mesh, all.length + 1);
    },
  },
  {
    name: "goes on with what a snapshot and the entries after it say when all were killed at once",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, ...SMALL });
      ok(await mesh.elect(0));
      const all = await fill(mesh, 50);
      for (const n of mesh.alive) await truncated(mesh, n);
      for (const n of mesh.alive) await mesh.kill(n);
      for (let n = 0; n <= voters; n++) await mesh.join(n);
      ok(await electAny(mesh));
      await mesh.propose(0, "next");
      deepStrictEqual(await agree(mesh, all.length + 1), [...all, "next"]);
    },
  },
  {
    name: "knows a proposal again whose entry is gone",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, ...SMALL });
      ok(await mesh.elect(0));
      const first = await mesh.propose(0, "a", "name");
      const all = ["a", ...(await fill(mesh, 50))];
      for (const n of mesh.alive) await truncated(mesh, n);
      await mesh.join(voters + 1);
      ok(await mesh.elect(0));
      await agree(mesh, all.length);
      await mesh.kill(0);
      await mesh.join(0);
      ok(await electAny(mesh));
      for (const n of mesh.alive) {
        const again = await mesh.propose(n, "a", "name");
        deepStrictEqual([again.index, again.result], [first.index, first.result]);
        await rejects(mesh.propose(n, "b", "name"), { code: "kernel/invalid-input" });
      }
      deepStrictEqual(await agree(mesh, all.length), all);
    },
  },
  {
    name: "says where its log begins",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, ...SMALL });
      ok(await mesh.elect(0));
      await fill(mesh, 50);
      await truncated(mesh, 0);
      const { log, disk } = mesh.member(0);
      const first = ((await disk.store.base())?.index ?? 0) + 1;
      const { signal } = patience();
      for (const from of [1, first - 1])
        await rejects(Array.fromAsync(log.entries({ from, signal })), {
          code: "ledger/truncated",
          detail: { first },
        });
      for await (const { index } of log.entries({ from: first, signal })) {
        equal(index, first);
        break;
      }
    },
  },
  {
    name: "counts a voter that came back by a snapshot",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, ...SMALL });
      ok(await mesh.elect(0));
      await mesh.propose(0, "first");
      await mesh.kill(1);
      const all = ["first", ...(await fill(mesh, 50))];
      await truncated(mesh, 0);
      await mesh.join(1);
      await agree(mesh, all.length);
      // A bare majority is left, and it needs the one that came back.
      for (let n = voters - 1; n > (voters + 1) / 2 - 1; n--) await mesh.kill(n);
      await mesh.propose(voters, "next");
      ok(await mesh.elect(1));
      await mesh.propose(0, "last");
      deepStrictEqual(await agree(mesh, all.length + 2), [...all, "next", "last"]);
    },
  },
];

async function fill(mesh: LedgerMesh, count: number): Promise<readonly string[]> {
  const commands = Array.from({ length: count }, (_, i) => `${i}`);
  for (const command of commands) await mesh.propose(0, command);
  return commands;
}

/** Waits until a member's log has lost its head. */
async function truncated(mesh: LedgerMesh, n: number): Promise<void> {
  const { signal } = patience();
  const { store } = mesh.member(n).disk;
  while (((await store.base())?.index ?? 0) === 0) {
    signal.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
