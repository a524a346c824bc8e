import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { errorCode } from "@chorus/kernel";
import { electedLog } from "../elected-log.ts";
import { agree, electAny, type LedgerCase, patience, PATIENCE_MS } from "./case.ts";
import { LedgerMesh } from "./ledger-mesh.ts";
import { snapshotCases } from "./snapshot-cases.ts";

/** What a ledger over any log store must do among one, three or five voters. Throws when it does not hold. */
export const ledgerCases: readonly LedgerCase[] = [
  {
    name: "holds one order everywhere, wherever a command comes from",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      const answers = await Promise.all(
        mesh.alive.flatMap((n) => ["a", "b", "c"].map((name) => mesh.propose(n, `${name}${n}`))),
      );
      equal(new Set(answers.map(({ index }) => index)).size, 3 * (voters + 1));
      await agree(mesh, 3 * (voters + 1));
    },
  },
  {
    name: "has everything after all were killed at once",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      for (const name of ["a", "b", "c"]) await mesh.propose(0, name);
      for (const n of mesh.alive) await mesh.kill(n);
      for (let n = 0; n <= voters; n++) await mesh.join(n);
      ok(await electAny(mesh));
      deepStrictEqual(await agree(mesh, 3), ["a", "b", "c"]);
    },
  },
  {
    name: "opens a term with an entry of its own, which no machine sees",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      const log = electedLog(mesh.member(0).disk.store);
      equal(await log.isCommittedIn(1), false);
      ok(await mesh.elect(0));
      await mesh.member(0).log.waitFor(1, patience());
      await mesh.member(0).log.read(patience());
      equal(await log.isCommittedIn(1), true);
      deepStrictEqual(mesh.member(0).log.state(), []);
      deepStrictEqual((await mesh.propose(0, "a")).result, 1);
    },
  },
  {
    name: "reads at any peer what was committed anywhere before",
    atLeast: 1,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      for (let round = 1; round <= 5; round++) {
        await mesh.propose(round % (voters + 1), `${round}`);
        for (const n of mesh.alive) {
          await mesh.member(n).log.read(patience());
          equal(mesh.member(n).log.state().length, round);
        }
      }
    },
  },
  {
    name: "answers no read of an admin whose lease is over",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      await mesh.propose(0, "a");
      const others = mesh.alive.filter((n) => n !== 0);
      mesh.link("cut", [0], others);
      mesh.leads.lapse(mesh.member(0).peer);
      ok(await electAny(mesh, others));
      await mesh.propose(others[0] ?? 1, "b");
      const read = mesh.member(0).log.read(patience());
      mesh.link("heal", [0], others);
      const leader = leaderOf(mesh, others);
      await mesh.elect(leader);
      await read;
      deepStrictEqual(mesh.member(0).log.state(), ["a", "b"]);
    },
  },
  {
    name: "keeps what it acknowledged when the admin dies and another is elected",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      for (let i = 0; i < 20; i++) await mesh.propose(0, `${i}`);
      await mesh.kill(0);
      ok(await electAny(mesh));
      await mesh.propose(voters, "after");
      await mesh.join(0);
      ok(await electAny(mesh));
      const all = [...Array.from({ length: 20 }, (_, i) => `${i}`), "after"];
      deepStrictEqual(await agree(mesh, 21), all);
    },
  },
  {
    name: "commits nothing in a minority, says so, and gives its end up afterwards",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, proposeTimeoutMs: 300 });
      ok(await mesh.elect(0));
      await persist(() => mesh.propose(0, "before", "before"));
      const few = Array.from({ length: (voters - 1) / 2 }, (_, n) => n);
      const many = mesh.alive.filter((n) => !few.includes(n));
      mesh.link("cut", few, many);
      // It does not know yet: what it writes stays on a minority's disks.
      const lost = await Promise.all(
        ["x", "y"].map((name) => mesh.propose(0, name, name).catch((error: unknown) => errorCode(error))),
      );
      deepStrictEqual(lost, ["ledger/outcome-unknown", "ledger/outcome-unknown"]);
      ok(await electAny(mesh, many));
      await persist(() => mesh.propose(many[0] ?? 0, "after", "after"));
      mesh.link("heal", few, many);
      ok(await mesh.elect(leaderOf(mesh, many)));
      deepStrictEqual(await agree(mesh, 2), ["before", "after"]);
      await persist(() => mesh.propose(0, "x", "x"));
      deepStrictEqual(await agree(mesh, 3), ["before", "after", "x"]);
    },
  },
  {
    name: "answers a repeated proposal with its first outcome under the next admin",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      const first = await mesh.propose(0, "a", "name");
      await mesh.kill(0);
      ok(await electAny(mesh));
      for (const n of mesh.alive) equal((await mesh.propose(n, "a", "name")).index, first.index);
      await rejects(mesh.propose(1, "b", "name"), { code: "kernel/invalid-input" });
      deepStrictEqual(await agree(mesh, 1), ["a"]);
    },
  },
  {
    name: "carries proposals over to the next admin, each once",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      const proposed = mesh.alive.flatMap((n) =>
        Array.from({ length: 10 }, (_, i) => mesh.propose(n, `${n}:${i}`)),
      );
      for (let round = 0; round < 2 * voters; round++) {
        await mesh.elect(round % voters);
        await new Promise((resolve) => setImmediate(resolve));
      }
      ok(await electAny(mesh));
      await Promise.all(proposed);
      const state = await agree(mesh, 10 * (voters + 1));
      equal(new Set(state).size, state.length);
    },
  },
  {
    name: "elects nobody whose log lacks a committed entry",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      const others = mesh.alive.filter((n) => n !== 1);
      mesh.link("cut", [1], others);
      await mesh.propose(0, "a");
      mesh.link("heal", [1], others);
      await mesh.kill(0);
      equal(await mesh.elect(1), false);
      await mesh.join(0);
      ok(await electAny(mesh));
      deepStrictEqual(await agree(mesh, 1), ["a"]);
    },
  },
  {
    name: "counts no copy that is flushed when a newer term is known already",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, proposeTimeoutMs: 300 });
      ok(await mesh.elect(0));
      await persist(() => mesh.propose(0, "before", "before"));
      const voting = Array.from({ length: voters - 1 }, (_, n) => n + 1);
      const gate = Promise.withResolvers<void>();
      for (const n of voting) mesh.member(n).disk.afterWrite = () => gate.promise;
      const lost = mesh.propose(0, "x").catch((error: unknown) => errorCode(error));
      await wrote(mesh, voting);
      // A vote is held, and lost: the candidate's log is asked for last of all.
      await mesh.leads.elect(mesh.member(1).peer, new Map(voting.map((n) => [mesh.member(n).peer, refuses])));
      gate.resolve();
      equal(await lost, "ledger/outcome-unknown");
      deepStrictEqual(mesh.member(0).log.state(), ["before"]);
    },
  },
  {
    name: "counts no copy whose flush failed",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, proposeTimeoutMs: 300 });
      ok(await mesh.elect(0));
      await persist(() => mesh.propose(0, "before", "before"));
      for (let n = 1; n < voters; n++)
        mesh.member(n).disk.afterWrite = () => Promise.reject(new Error("input/output error"));
      await rejects(mesh.propose(0, "x"), { code: "ledger/outcome-unknown" });
      deepStrictEqual(mesh.member(0).log.state(), ["before"]);
      equal(mesh.member(1).log.status().mode, "read-only");
    },
  },
  {
    name: "gathers what is proposed while a quorum is waited for into one write",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, commitWindowMs: PATIENCE_MS });
      ok(await mesh.elect(0));
      await mesh.propose(0, "before");
      await agree(mesh, 1);
      const sizes: number[] = [];
      mesh.member(0).disk.afterWrite = async (entries) => void sizes.push(entries);
      const gate = Promise.withResolvers<void>();
      for (let n = 1; n < voters; n++) mesh.member(n).disk.afterWrite = () => gate.promise;
      const proposed = [mesh.propose(0, "x")];
      await wrote(mesh, [0], "x");
      for (const name of ["a", "b", "c"]) proposed.push(mesh.propose(0, name));
      gate.resolve();
      await Promise.all(proposed);
      deepStrictEqual(sizes, [1, 3]);
    },
  },
  {
    name: "gives the lead up with a log that turned read-only, and votes for nobody with it",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters, proposeTimeoutMs: 300 });
      ok(await mesh.elect(0));
      await persist(() => mesh.propose(0, "before", "before"));
      mesh.member(0).disk.afterWrite = () => Promise.reject(new Error("input/output error"));
      await rejects(mesh.propose(0, "x"), { code: "ledger/outcome-unknown" });
      equal(mesh.member(0).log.status().mode, "read-only");
      for (const n of mesh.alive) equal(mesh.leads.of(mesh.member(n).peer).admin(), undefined);
      equal(await mesh.elect(0), false);
      const bare = Array.from({ length: (voters + 1) / 2 }, (_, n) => n);
      equal(await mesh.elect(1, bare), false);
      ok(await electAny(mesh));
      await persist(() => mesh.propose(1, "after", "after"));
      equal(mesh.member(1).log.state().at(-1), "after");
    },
  },
  {
    name: "counts by the configuration of now",
    atLeast: 3,
    async run(bench, voters) {
      await using mesh = await LedgerMesh.start(bench, { voters });
      ok(await mesh.elect(0));
      await mesh.propose(0, "a");
      for (let n = 2; n < voters; n++) await mesh.kill(n);
      const waiting = mesh.propose(0, "b");
      await wrote(mesh, [1], "b");
      // One by one, until those that live are a quorum.
      for (let left = voters - 1; left >= 2; left--) mesh.leads.configure(mesh.peers.slice(0, left));
      await waiting;
      mesh.leads.configure(mesh.peers.slice(0, voters));
      // The voters may not change again before those of now hold what is committed.
      const log = electedLog(mesh.member(0).disk.store);
      equal(await log.isCommittedIn(1), voters === 3);
      const stuck = mesh.propose(0, "c");
      await wrote(mesh, [0, 1], "c");
      deepStrictEqual(mesh.member(0).log.state(), voters === 3 ? ["a", "b", "c"] : ["a", "b"]);
      for (let n = 2; n < voters; n++) await mesh.join(n);
      await stuck;
      equal(await log.isCommittedIn(1), true);
      deepStrictEqual(await agree(mesh, 3), ["a", "b", "c"]);
    },
  },
  ...snapshotCases,
];

const refuses = {
  last: async () => ({ term: 99, index: 99 }),
  mayVoteFor: async () => false,
  isCommittedIn: async () => false,
};

function leaderOf(mesh: LedgerMesh, among: readonly number[]): number {
  const leader = among.find((n) => mesh.leads.of(mesh.member(n).peer).isAdmin());
  if (leader === undefined) throw new Error("nobody leads");
  return leader;
}

/** Waits until the members' disks end with an uncommitted entry, or with a command. */
async function wrote(mesh: LedgerMesh, members: readonly number[], command?: string): Promise<void> {
  const { signal } = patience();
  for (const n of members) {
    const { store } = mesh.member(n).disk;
    for (;;) {
      signal.throwIfAborted();
      const [last] = await store.read(await store.last(), 1);
      const text = new TextDecoder().decode(last?.command);
      if (command === undefined ? text === "x" : text === command) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Proposes until it is committed: an admin may still be gathering its followers. */
async function persist<T>(action: () => Promise<T>): Promise<T> {
  const { signal } = patience();
  for (;;)
    try {
      return await action();
    } catch (error) {
      if (signal.aborted) throw error;
    }
}
