import { describe, expect, it } from "vitest";
import { check } from "../mesh/check.ts";
import { type History, parseRecords, type PeerRecord, type RunnerRecord } from "../mesh/history.ts";

const PEERS = ["0", "1", "2"] as const;

/** A name in the mesh, as the records have it. */
const name = (peer: string): string => `k51-${peer}`;
const others = (peer: string): string[] => PEERS.filter((other) => other !== peer).map(name);

const lease = (from: number, term: number, to = from + 1): PeerRecord => ({ kind: "lease", from, to, term });
const leases = (from: number, to: number, term: number): PeerRecord[] =>
  Array.from({ length: Math.floor((to - from) / 5) }, (_, i) => lease(from + i * 5, term));
const saved = (term: number, votedFor?: string): PeerRecord[] => {
  const vote = { term, ...(votedFor === undefined ? {} : { votedFor: name(votedFor) }) };
  return [
    { kind: "saving", at: 0, ...vote },
    { kind: "saved", at: 0, ...vote },
  ];
};
const certificate = (term: number, candidate: string, votes: readonly string[] = ["0", "1"]): PeerRecord => ({
  kind: "admin",
  at: 0,
  certificate: { term, candidate: name(candidate), voters: PEERS.map(name), votes: votes.map(name) },
});
const life = (peer: string, at = 0, number = 1): PeerRecord => ({
  kind: "life",
  at,
  life: number,
  peer: name(peer),
});

/** A history of three peers, to whose records those of the case are added. */
function history(records: Partial<Record<string, PeerRecord[]>>, runner: RunnerRecord[] = []): History {
  return { peers: new Map(PEERS.map((peer) => [peer, [life(peer), ...(records[peer] ?? [])]])), runner };
}

const found = (records: Partial<Record<string, PeerRecord[]>>, runner: RunnerRecord[] = []) =>
  check(history(records, runner)).violations;

describe("leases", () => {
  it("accepts leases that follow each other", () => {
    expect(found({ 0: leases(0, 100, 1), 1: leases(101, 200, 2), 2: leases(201, 300, 3) })).toEqual([]);
  });

  it("accepts answers that may have been given in the right order", () => {
    // The older admin was stopped within its answer, which may be as old as its beginning.
    expect(found({ 0: [lease(90, 1, 500)], 1: leases(95, 600, 2) })).toEqual([]);
    expect(found({ 0: [lease(100, 1, 101)], 1: [lease(99, 2, 102)] })).toEqual([]);
  });

  it("finds an older admin that acts while a newer one does", () => {
    expect(found({ 0: [...leases(0, 100, 1), lease(300, 1)], 1: leases(200, 400, 2) })).toEqual([
      "two valid leases at once: 0 of term 1 still had its own 0.099 s after 1 of term 2 had begun, which went on",
    ]);
  });

  it("finds an older admin that acts after a newer one", () => {
    expect(found({ 0: [lease(0, 1), lease(900, 1)], 1: leases(200, 400, 2) })).toEqual([
      "terms fell: 0 acted in term 1 0.699 s after 1 had in term 2",
    ]);
  });

  it("finds a second admin of one term, whatever the times", () => {
    expect(found({ 0: [lease(0, 4)], 1: [lease(5000, 4)] })).toEqual(["term 4 has the admins 0 and 1"]);
  });

  it("finds two certificates of one term that nobody acted on", () => {
    const ballots = { 0: saved(4, "0"), 1: saved(4, "0"), 2: saved(4, "2") };
    expect(
      found({
        0: [...ballots[0], certificate(4, "0")],
        1: ballots[1],
        2: [...ballots[2], certificate(4, "2", ["2"])],
      }),
    ).toEqual(["term 4 has the admins 0 and 2", "term 4 has 1 votes of 3, which is no quorum"]);
  });
});

describe("votes", () => {
  it("accepts a quorum of votes that were kept, over several lives", () => {
    expect(
      found({
        0: [
          ...saved(1, "0"),
          certificate(1, "0"),
          life("0", 9, 2),
          { kind: "loaded", at: 9, term: 1, votedFor: name("0") },
        ],
        1: [...saved(1, "0"), ...saved(2)],
      }),
    ).toEqual([]);
  });

  it("accepts that a vote on its way to the disk is there after a kill, or is not", () => {
    const onItsWay: PeerRecord = { kind: "saving", at: 1, term: 2, votedFor: name("1") };
    for (const loaded of [{ term: 1 }, { term: 2, votedFor: name("1") }])
      expect(found({ 0: [...saved(1), onItsWay, { kind: "loaded", at: 9, ...loaded }] })).toEqual([]);
  });

  it("finds a vote that was lost with the process", () => {
    expect(found({ 0: [...saved(3, "1"), { kind: "loaded", at: 9, term: 0 }] })).toEqual([
      "peer 0 found term 0 with no vote on its disk, where it had kept term 3 with a vote for k51-1",
    ]);
  });

  it("finds a second vote in one term", () => {
    expect(found({ 0: [...saved(3, "1"), ...saved(3, "2")] })).toEqual([
      "peer 0 voted twice: term 3 with a vote for k51-1, then term 3 with a vote for k51-2",
    ]);
  });

  it("finds terms that fall, on the disk and in the view", () => {
    expect(found({ 0: [...saved(3), ...saved(2)] })).toEqual(["peer 0 went back from term 3 to 2"]);
    expect(found({ 0: [lease(0, 3)], 1: [lease(10, 4), lease(20, 3)] })).toContain(
      "peer 1 followed term 3 after term 4",
    );
  });

  it("finds a counted vote that its voter has not kept", () => {
    expect(found({ 0: [...saved(1, "0"), certificate(1, "0")], 1: saved(1, "2") })).toEqual([
      "term 1 counts a vote of peer 1 that it has not kept",
    ]);
  });
});

describe("the bound", () => {
  const quorum = (from: number, to: number, orphaned = true): RunnerRecord => ({
    kind: "quorum",
    fault: "kill",
    members: ["1", "2"],
    from,
    to,
    boundMs: 1000,
    orphaned,
  });

  it("measures the time until the next admin among the survivors", () => {
    const records = { 0: leases(0, 500, 1), 1: leases(900, 2000, 2) };
    expect(check(history(records, [quorum(100, 2000)]))).toEqual({
      violations: [],
      figures: [{ what: "failover", fault: "kill", ms: 800, starvedMs: 0 }],
    });
  });

  it("finds an admin that comes too late, or only where it does not count", () => {
    const late =
      "kill: 1.50 s without an admin among 1 2, the bound is 1.00 s (from 0.00 s after the fault on)";
    expect(found({ 1: leases(1600, 2000, 2) }, [quorum(100, 2000)])).toEqual([late]);
    expect(found({ 0: leases(0, 2000, 1), 1: leases(1600, 2000, 2) }, [quorum(100, 2000)])).toContain(late);
  });

  it("finds a time without admin at the end", () => {
    expect(found({ 1: leases(0, 500, 2) }, [quorum(0, 2000, false)])).toEqual([
      "kill: 1.50 s without an admin among 1 2, the bound is 1.00 s (from 0.49 s after the fault on)",
    ]);
  });

  it("demands nothing where the time was shorter than the bound", () => {
    expect(found({}, [quorum(0, 900)])).toEqual([]);
  });

  it("does not count time in which a survivor could not run, unless it was busy itself", () => {
    const late = (from: number, to: number, busyMs = 0): PeerRecord => ({ kind: "late", from, to, busyMs });
    const records = (...spans: PeerRecord[]) => ({ 1: [...leases(1600, 2000, 2), ...spans] });
    expect(found(records(late(200, 600), late(500, 801)), [quorum(100, 2000)])).toEqual([]);
    expect(found({ ...records(), 0: [late(200, 1500)] }, [quorum(100, 2000)])).toHaveLength(1);
    expect(found(records(late(200, 1500, 1250)), [quorum(100, 2000)])).toHaveLength(1);
  });

  it("finds a process that ended by itself", () => {
    expect(found({}, [{ kind: "died", at: 1, peer: "2", code: "1" }])).toEqual(["peer 2 ended by itself: 1"]);
  });
});

describe("the whole mesh", () => {
  const healed: RunnerRecord = {
    kind: "healed",
    fault: "partition",
    healedAt: 1000,
    until: 9000,
    boundMs: 4000,
  };

  const hearsAll: (from: string, to: string, at: number) => boolean = () => false;

  /** Connected from a moment on, saying something every half second, which all hear but those that are left out. */
  function mesh({ connectedAt = 0, deaf = hearsAll } = {}) {
    const times = Array.from({ length: 20 }, (_, i) => i * 500);
    return Object.fromEntries(
      PEERS.map((peer): [string, PeerRecord[]] => [
        peer,
        [
          { kind: "connected", at: 0, peers: [] },
          { kind: "connected", at: connectedAt, peers: others(peer) },
          ...times.map((at): PeerRecord => ({ kind: "said", at, number: at })),
          ...PEERS.filter((from) => from !== peer).flatMap((from) =>
            times
              .filter((at) => !deaf(from, peer, at))
              .map((at): PeerRecord => ({ kind: "heard", at: at + 10, from: name(from), number: at })),
          ),
        ],
      ]),
    );
  }

  const heal = (records: ReturnType<typeof mesh>) => check(history(records, [healed]));

  it("is whole at once where nothing was broken", () => {
    expect(heal(mesh())).toEqual({
      violations: [],
      figures: [{ what: "heal", fault: "partition", ms: 0, starvedMs: 0 }],
    });
  });

  it("is whole when the last connection is back", () => {
    expect(heal(mesh({ connectedAt: 3000 })).figures).toEqual([
      { what: "heal", fault: "partition", ms: 2000, starvedMs: 0 },
    ]);
  });

  it("is whole from the first message on after which none was lost", () => {
    const verdict = heal(mesh({ deaf: (from, to, at) => from === "0" && to === "2" && at < 2600 }));
    expect(verdict).toEqual({
      violations: [],
      figures: [{ what: "heal", fault: "partition", ms: 2000, starvedMs: 0 }],
    });
  });

  it("is not whole where a connection is missing, comes too late, or breaks again", () => {
    expect(heal(mesh({ connectedAt: 9500 })).violations).toEqual([
      "partition: the mesh is not whole 8.00 s after the heal: peer 0 is not connected with 1 2",
    ]);
    expect(heal(mesh({ connectedAt: 6000 })).violations).toEqual([
      "partition: the mesh was whole 5.00 s after the heal, the bound is 4.00 s",
    ]);
    const broken = mesh();
    broken["1"]?.push({ kind: "connected", at: 8000, peers: [name("0")] });
    expect(heal(broken).violations).toEqual([
      "partition: the mesh is not whole 8.00 s after the heal: peer 1 is not connected with 2",
    ]);
  });

  it("is not whole where messages are lost to the end", () => {
    expect(heal(mesh({ deaf: (from, to) => from === "1" && to === "0" })).violations).toEqual([
      "partition: the mesh is not whole 8.00 s after the heal: what peer 1 said did not reach 0",
    ]);
  });

  it("is not whole where a peer has not come back", () => {
    const records = mesh();
    records["2"]?.push(life("2", 8500, 2));
    expect(heal(records).violations).toEqual([
      "partition: the mesh is not whole 8.00 s after the heal: peer 2 is not connected with 0 1",
    ]);
  });
});

it("reads what a recorder has written, line by line", () => {
  expect(parseRecords('{"kind":"up","at":1}\n{"kind":"said","at":2,"number":3}\n')).toEqual([
    { kind: "up", at: 1 },
    { kind: "said", at: 2, number: 3 },
  ]);
});
