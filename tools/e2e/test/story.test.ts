import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archiveFolder } from "../../../apps/chorus/src/archive.ts";
import { readBack } from "../../../apps/chorus/src/read-back.ts";
import type { StoryResult } from "../../../apps/chorus/src/task-story.ts";
import { isDockerAbsent, withDocker } from "./fixtures/engines.ts";
import { allEvents, testMesh, type TestMesh } from "./fixtures/mesh.ts";
import { observer } from "./fixtures/observer.ts";
import { filesHolding, forms, holds } from "./fixtures/search.ts";

const example = join(import.meta.dirname, "../../../apps/chorus/examples/python");
/** Put together at run time, so that no file of the repository holds it. */
const secret = ["AKIA", "Q3EGZ7K4XWNVB2TD"].join("");
const [half, otherHalf] = [secret.slice(0, 4), secret.slice(4)];
const commands = [
  { run: "python3 -m unittest", allowFailure: true },
  { run: "cp -R /workspace/input/change/. ." },
  { run: "python3 -m unittest" },
  { run: "i=0; while [ $i -lt 300 ]; do echo line-$i; i=$((i+1)); done" },
  { run: `printf 'key=${half}%s\\n' ${otherHalf}` },
  {
    run: "head -c 200000 /dev/urandom > /workspace/output/random.bin; sha256sum /workspace/output/random.bin",
  },
  { run: "printf 'exact\\000bytes\\377' > /workspace/output/exact.bin" },
  { run: `printf '${half}%s' ${otherHalf} > /workspace/output/leak.txt` },
];

async function submit(mesh: TestMesh): Promise<string> {
  const { client } = mesh.peer("alice");
  const upload = async (folder: string): Promise<string> =>
    (await client.post<{ address: string }>("/v1/inputs", (await archiveFolder(join(example, folder))).tar))
      .address;
  const mediaType = "application/x-tar";
  const ack = await client.post<{ taskId: string; status: string }>("/v1/tasks", {
    goal: "Half a cent must be rounded up",
    project: "demo",
    name: "fix-rounding",
    inputs: [
      { name: "source", address: await upload("project"), mediaType },
      { name: "change", address: await upload("change"), mediaType },
    ],
    commands,
    requirements: { language: "python", isolation: "container" },
  });
  expect(ack.status).toBe("committed");
  return ack.taskId;
}

/** The live output as one text, and the places of its pieces. */
async function liveOutput(mesh: TestMesh, id: string): Promise<{ text: string; gaps: number }> {
  const { client } = mesh.peer("alice");
  const pieces: Uint8Array[] = [];
  let next = 0;
  let gaps = 0;
  const chunks = client.events<{ offset: number; base64: string }>(`/v1/tasks/${id}/output`, {
    signal: AbortSignal.timeout(120_000),
  });
  for await (const { data } of chunks) {
    const bytes = Buffer.from(data.base64, "base64");
    if (data.offset !== next) gaps++;
    next = data.offset + bytes.length;
    pieces.push(bytes);
  }
  return { text: Buffer.concat(pieces).toString(), gaps };
}

describe.skipIf(isDockerAbsent)("one task's life over real processes and real containers", () => {
  it("is carried by another peer, told in order, kept, verified, and leaks nothing", async () => {
    await using mesh = await testMesh({ env: await withDocker() });
    await using ear = await observer(mesh);
    const id = await submit(mesh);
    const [events, output] = await Promise.all([allEvents(mesh.peer("carol"), id), liveOutput(mesh, id)]);

    // The order of facts, the same wherever one asks.
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(await allEvents(mesh.peer("alice"), id)).toEqual(events);
    const claimed = events.find(({ type }) => type === "task-claimed");
    expect(mesh.names.get(claimed?.by ?? "")).not.toBe("alice");
    const last = events.at(-1);
    expect(last?.type).toBe("task-completed");
    const result = last?.result as StoryResult;
    expect(result).toMatchObject({ outcome: "succeeded", degraded: false });
    expect(result.replicas).toBeGreaterThanOrEqual(2);

    // The output, whole and in order.
    const lines = output.text.split("\n").filter((line) => line.startsWith("line-"));
    expect(lines).toEqual(Array.from({ length: 300 }, (_, i) => `line-${i}`));
    expect(output.gaps).toBe(0);
    expect(output.text).toMatch(/key=\[shhh:aws-access-key-id:[A-Z0-9]{4}-[A-Z0-9]{4}\]/);

    // The artifacts, byte by byte, through a peer that neither took nor ran the task.
    const third = mesh.mesh.peers.find(
      ({ name }) => name !== "alice" && name !== mesh.names.get(claimed?.by ?? ""),
    );
    if (!third) throw new Error("a third peer expected");
    const artifact = async (path: string): Promise<Buffer> => {
      const found = result.artifacts.find((one) => one.path === path);
      if (!found)
        throw new Error(`no artifact ${path} in ${result.artifacts.map((one) => one.path).join(", ")}`);
      return Buffer.from((await third.client.bytes(`/v1/blocks/${found.cid}`, "*/*")).bytes);
    };
    expect(await artifact("output/exact.bin")).toEqual(Buffer.from("exact\0bytes\xff", "latin1"));
    const printed = /^([0-9a-f]{64}) {2}\/workspace\/output\/random\.bin$/m.exec(output.text)?.[1];
    expect(
      createHash("sha256")
        .update(await artifact("output/random.bin"))
        .digest("hex"),
    ).toBe(printed);
    expect((await artifact("output.log")).toString()).toBe(output.text);
    const patch = (await artifact("changes.patch")).toString();
    expect(patch).toContain("-    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_DOWN))");
    expect(patch).toContain("+    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))");
    const report = JSON.parse((await artifact("report.json")).toString()) as {
      steps: { outcome: string; exitCode: number }[];
    };
    expect(report.steps.map(({ exitCode }) => exitCode)).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
    expect(new Set(report.steps.map(({ outcome }) => outcome))).toEqual(new Set(["exited"]));

    // The decision: hash, signature and evidence, checked in this process.
    expect(await readBack(third.client, result)).toMatchObject({ signers: 1 });

    // Only its address was gossiped.
    const decisions = ear.heard.filter(({ topic }) => topic === "chorus/decisions");
    expect(decisions).toHaveLength(1);
    expect(JSON.stringify(decisions[0]?.envelope.body)).toContain(result.decision.address);
    expect(JSON.stringify(decisions[0]?.envelope.body).length).toBeLessThan(
      result.decision.address.length + 40,
    );

    // The planted secret is nowhere: not on any disk, not in any log, not in the gossip, not in the answers.
    const texts = forms(secret);
    expect(result.quarantined.map(({ path }) => path)).toEqual(["output/leak.txt"]);
    expect(result.redactions).toBeGreaterThanOrEqual(1);
    expect(filesHolding(mesh.directory, texts)).toEqual([]);
    expect(holds(ear.bytes(), texts)).toBe(false);
    expect(holds(Buffer.from(JSON.stringify(events) + output.text), texts)).toBe(false);
  }, 180_000);
});
