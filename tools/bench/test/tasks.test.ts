import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { expect, it } from "vitest";
import { balancer } from "../tasks/balancer.ts";
import { processorSeconds } from "../tasks/processor-time.ts";
import { Completions } from "../tasks/queue.ts";
import { freePorts } from "../../free-ports.ts";
import { ServerStack } from "../tasks/server.ts";
import { started, type System } from "../tasks/systems.ts";

const plan = { processes: 1, capacity: 1 };
const system = (parts: Partial<System>): System => ({
  name: "x",
  missing: () => undefined,
  start: () => Promise.reject(new Error("no port")),
  ...parts,
});

it("finds a completion that was known before anybody waited for it", async () => {
  const completions = new Completions();
  completions.settle("early");
  await completions.of("early");
  const late = completions.of("late");
  completions.settle("late");
  await late;
});

it("says which package brings what is not here, and why something did not start", async () => {
  expect(await started(system({ missing: () => "apt: x" }), plan)).toBe("not here; brought by apt: x");
  expect(await started(system({}), plan)).toBe("did not start: no port");
});

it.runIf(existsSync("/proc/self/stat"))(
  "counts what a process's children used, also after their end",
  async () => {
    const spin =
      "for (const from = Date.now(); process.cpuUsage().user < 300000 && Date.now() - from < 60000; );";
    const inner = `require("node:child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(spin)}])`;
    const child = spawn(process.execPath, ["-e", `${inner}; console.log(1); setInterval(() => 0, 1000)`]);
    try {
      await once(child.stdout, "data");
      expect(processorSeconds([child.pid ?? 0])).toBeGreaterThan(0.3);
    } finally {
      child.kill("SIGKILL");
    }
  },
);

it("ends what it started and removes the files", async () => {
  const stack = new ServerStack();
  const child = stack.spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)"]);
  await once(child, "spawn");
  stack.place("data");
  await stack[Symbol.asyncDispose]();
  expect(child.signalCode).toBe("SIGKILL");
  expect(existsSync(stack.folder)).toBe(false);
});

it("brings a connection to the next worker where the first is gone", async () => {
  const [gone = 0, here = 0] = await freePorts(2);
  const worker = createServer((socket) => socket.end("here")).listen(here, "127.0.0.1");
  await once(worker, "listening");
  {
    await using front = await balancer(() => [gone, here]);
    const client = connect(front.port, "127.0.0.1");
    const [data] = await once(client, "data");
    expect(String(data)).toBe("here");
  }
  worker.close();
});
