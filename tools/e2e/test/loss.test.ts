import { describe, expect, it, vi } from "vitest";
import { withoutDocker } from "./fixtures/engines.ts";
import { allEvents, firstEvent, testMesh, type TestMesh } from "./fixtures/mesh.ts";
import { childByEnv, exists, run } from "./fixtures/process.ts";

const embedded = { CHORUS_SANDBOX_ENGINE: "embedded", CHORUS_LEASE_MS: "1500" };

async function submit(mesh: TestMesh, entry: string, run: string): Promise<string> {
  const ack = await mesh
    .peer(entry)
    .client.post<{ taskId: string }>("/v1/tasks", { goal: "survive", project: "demo", commands: [{ run }] });
  return ack.taskId;
}

function findChild(pid: number, name: string): number | undefined {
  try {
    return childByEnv(pid, "CHORUS_NAME", name);
  } catch {
    return undefined;
  }
}

describe("losing a process while a task runs", () => {
  it("moves the task to another peer when its holder is killed, and commits once", async () => {
    await using mesh = await testMesh({ env: embedded, plans: { bob: { CHORUS_CAPACITY: "0" } } });
    const id = await submit(mesh, "bob", "sleep 4; echo survived");
    const claimed = await firstEvent(mesh.peer("bob"), id, "task-claimed");
    const holder = mesh.names.get(claimed.by) ?? "";
    process.kill(mesh.peer(holder).pid, "SIGKILL");
    const events = await allEvents(mesh.peer("bob"), id);
    const claims = events.filter(({ type }) => type === "task-claimed");
    expect(claims.map(({ by }) => mesh.names.get(by))).toEqual([
      holder,
      holder === "alice" ? "carol" : "alice",
    ]);
    expect(events.filter(({ type }) => type === "task-completed")).toHaveLength(1);
  }, 120_000);

  it("lets nobody commit late: a holder that was frozen past its lease is fenced", async () => {
    await using mesh = await testMesh({ env: embedded, plans: { bob: { CHORUS_CAPACITY: "0" } } });
    const id = await submit(mesh, "bob", "sleep 3; echo done");
    const claimed = await firstEvent(mesh.peer("bob"), id, "task-claimed");
    const holder = mesh.peer(mesh.names.get(claimed.by) ?? "");
    process.kill(holder.pid, "SIGSTOP");
    const events = await allEvents(mesh.peer("bob"), id);
    process.kill(holder.pid, "SIGCONT");
    const completed = events.filter(({ type }) => type === "task-completed");
    expect(completed.map(({ attempt }) => attempt)).toEqual([2]);
    // The frozen peer wakes up, catches up, and agrees with the others on what happened.
    expect(await allEvents(holder, id)).toEqual(events);
  }, 120_000);

  it("elects the next admin when the admin is killed, and goes on with what was accepted", async () => {
    await using mesh = await testMesh({ env: embedded, plans: {} });
    const { admin } = await mesh.peer("alice").client.get<{ admin: string }>("/v1/election");
    const [killed = "", entry = ""] = [
      mesh.names.get(admin),
      [...mesh.names.values()].find((name) => name !== mesh.names.get(admin)),
    ];
    const id = await submit(mesh, entry, "sleep 2; echo survived");
    process.kill(mesh.peer(killed).pid, "SIGKILL");
    const events = await allEvents(mesh.peer(entry), id);
    expect(events.filter(({ type }) => type === "task-completed")).toHaveLength(1);
    const next = await mesh.peer(entry).client.get<{ admin: string; term: number }>("/v1/election");
    expect(next.admin).not.toBe(admin);
  }, 120_000);

  it("keeps an accepted task while there is no majority, and carries it out when there is one", async () => {
    await using mesh = await testMesh({ env: embedded, plans: { bob: { CHORUS_CAPACITY: "0" } } });
    for (const name of ["bob", "carol"]) process.kill(mesh.peer(name).pid, "SIGSTOP");
    const ack = await mesh.peer("alice").client.post<{ taskId: string; status: string }>("/v1/tasks", {
      goal: "wait",
      commands: [{ run: "echo ok" }],
    });
    expect(ack.status).toBe("pending");
    for (const name of ["bob", "carol"]) process.kill(mesh.peer(name).pid, "SIGCONT");
    const last = await firstEvent(mesh.peer("alice"), ack.taskId, "task-completed");
    expect(last.result?.outcome).toBe("succeeded");
  }, 120_000);
});

describe("losing a process during the demo", () => {
  it.each([
    ["alice", /alice is gone \(SIGKILL\)/, 0],
    ["bob", /bob is gone \(SIGKILL\)/, 0],
    ["carol", /carol is gone \(SIGKILL\)/, 0],
  ])(
    "says so when %s is killed, and does not hang",
    async (name, message, code) => {
      await using demo = run("chorus", ["demo"], withoutDocker);
      await demo.line(/holds the lease/);
      const pids = ["alice", "bob", "carol"].map((one) => childByEnv(demo.pid, "CHORUS_NAME", one));
      process.kill(childByEnv(demo.pid, "CHORUS_NAME", name), "SIGKILL");
      expect(await demo.end(90_000)).toBe(code);
      expect(demo.text).toMatch(message);
      expect(pids.filter(exists)).toEqual([]);
    },
    180_000,
  );

  it.each([
    ["while it starts", /^ {2}model/],
    ["before the task is in", /^ {2}election/],
  ])(
    "says so when alice is killed %s",
    async (_name, moment) => {
      await using demo = run("chorus", ["demo"], withoutDocker);
      await demo.line(moment);
      const alice = await vi.waitUntil(() => findChild(demo.pid, "alice"), { timeout: 30_000, interval: 5 });
      process.kill(alice, "SIGKILL");
      expect([0, 1]).toContain(await demo.end(90_000));
      expect(demo.text).toMatch(/alice (is gone|did not start|ended before)/);
      expect(demo.text).not.toMatch(/fetch failed|undefined/);
    },
    180_000,
  );

  it("leaves nothing behind when the launcher itself is killed", async () => {
    await using demo = run("chorus", ["demo", "--keep"], withoutDocker);
    await demo.line(/The agents stay up/);
    const pids = ["alice", "bob", "carol"].map((one) => childByEnv(demo.pid, "CHORUS_NAME", one));
    process.kill(demo.pid, "SIGKILL");
    await expect.poll(() => pids.filter(exists), { timeout: 20_000 }).toEqual([]);
  }, 120_000);
});
