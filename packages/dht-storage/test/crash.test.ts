import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cidOf, createSigner } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { content, setup } from "./fixtures/mesh.ts";
import { sizeOf } from "./fixtures/rounds.ts";

const ROUNDS = process.env["SLOW"] === "1" ? 200 : 20;

/** Puts in a child process and kills it at once when it has said so many numbers. @returns the numbers */
async function putUntilKilled(directory: string, start: number, after: number): Promise<number[]> {
  const script = join(import.meta.dirname, "fixtures/putter.ts");
  const child = spawn(
    process.execPath,
    ["--conditions=@chorus/source", "--no-warnings", script, directory, String(start)],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const exited = once(child, "exit");
  const errors: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
  const said: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(Number(line));
    if (said.length >= after) child.kill("SIGKILL");
  }
  await exited;
  if (said.length < after) throw new Error(`the child ended by itself: ${errors.join("")}`);
  return said;
}

describe("kill -9 during put", () => {
  it(`loses nothing acknowledged and shows nothing half, ${ROUNDS} rounds`, {
    timeout: 600_000,
  }, async () => {
    await using mesh = setup();
    const directory = join(mesh.directory, "victim");
    const { peer } = await createSigner(new Uint8Array(32).fill(3));
    const acknowledged = new Set<number>();
    let next = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const i of await putUntilKilled(directory, next, 1 + (round % 7))) acknowledged.add(i);
      next = Math.max(...acknowledged) + 1;
      const reader = await mesh.join("reader", { directory });
      expect(readdirSync(join(directory, "tmp"))).toEqual([]);
      // What was not acknowledged may be there or not, but never half.
      for (let i = Math.max(0, next - 8); i < next + 2; i++) {
        const bytes = content(sizeOf(i), i);
        const cid = await cidOf(bytes, "raw");
        const isThere = await reader.storage.has(cid);
        if (acknowledged.has(i)) expect(isThere, `number ${i} is lost`).toBe(true);
        const got = await reader.storage.get(cid);
        expect(got === undefined).toBe(!isThere);
        if (got !== undefined) expect(Buffer.compare(got, bytes)).toBe(0);
      }
      const head = await reader.storage.head(`p/t/r/${peer}`);
      expect(head!.seq).toBeGreaterThanOrEqual(next);
      // The next child goes on behind the head, which may be ahead of what was said.
      next = head!.seq;
      await reader.stop();
    }
    const reader = await mesh.join("reader", { directory });
    for (const i of acknowledged)
      expect(
        Buffer.compare(
          (await reader.storage.get(await cidOf(content(sizeOf(i), i), "raw")))!,
          content(sizeOf(i), i),
        ),
      ).toBe(0);
  });
});
