import { InvalidInputError } from "@chorus/kernel";
import { createSentinel } from "@chorus/shhh";
import { describe, expect, it } from "vitest";
import { jsonLogger } from "../src/logger.ts";

function setup(level = "info") {
  const lines: Record<string, unknown>[] = [];
  const sentinel = createSentinel({ key: new Uint8Array(32) });
  const sink = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { lines, log: jsonLogger(level, sentinel, sink) };
}

describe("jsonLogger", () => {
  it("writes one object a line, with the fields of its children", () => {
    const { lines, log } = setup();
    log.child({ name: "alice" }).warn("something", { count: 2 });
    log.debug("not shown");
    expect(lines).toEqual([
      { level: "warn", time: expect.any(String), name: "alice", count: 2, message: "something" },
    ]);
  });
  it("tells an error with its code and causes", () => {
    const { lines, log } = setup();
    log.error("failed", { error: new InvalidInputError("field", "is wrong", new Error("deeper")) });
    expect(lines[0]).toMatchObject({
      error: { code: "kernel/invalid-input", message: "field: is wrong", cause: { message: "deeper" } },
    });
  });
  it("lets no secret out, wherever it stands", () => {
    const { lines, log } = setup();
    const secret = ["AKIA", "Q3EGZ7K4XWNVB2TD"].join("");
    log.info("started", { env: { deep: [secret] }, error: new Error(`cannot use ${secret}`) });
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(JSON.stringify(lines)).toContain("[shhh:aws-access-key-id:");
  });
});
