import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { lab } from "./fixtures/mesh.ts";

describe("a start that fails", () => {
  it("leaves nothing running: the process ends by itself", { timeout: 60_000 }, async ({ signal }) => {
    await using at = await lab();
    const holder = await at.start();
    const [taken = ""] = holder.addresses().map((address) => address.split("/p2p/")[0] ?? "");
    const script = join(import.meta.dirname, "fixtures", "loser.ts");
    const options = [join(at.folder, "loser"), "/ip4/127.0.0.1/tcp/0/ws", taken];
    // Ended by the signal when the test takes too long.
    const child = spawn(process.execPath, ["--conditions=@chorus/source", script, ...options], {
      stdio: ["ignore", "pipe", "inherit"],
      signal,
    });
    const ended = once(child, "exit");
    expect(await text(child.stdout)).toBe("p2p/address-in-use");
    expect(await ended).toEqual([0, null]);
  });
});
