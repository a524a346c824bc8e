import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MachineDisk } from "../src/disk.ts";
import { sequence } from "../src/random.ts";

const numRuns = process.env["SLOW"] === "1" ? 20_000 : 500;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const name = fc.constantFrom("a", "b", "c");
const content = fc.uint8Array({ maxLength: 12 });

type Step =
  | { readonly do: "write" | "append"; readonly file: string; readonly content: Uint8Array }
  | { readonly do: "rename"; readonly file: string; readonly to: string }
  | { readonly do: "remove"; readonly file: string }
  | { readonly do: "sync" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("write" as const, "append" as const), file: name, content }),
  fc.record({ do: fc.constant("rename" as const), file: name, to: name }),
  fc.record({ do: fc.constant("remove" as const), file: name }),
  fc.record({ do: fc.constant("sync" as const) }),
);
const steps = fc.array(step, { maxLength: 25 });

function perform(disk: MachineDisk, one: Step): void {
  if (one.do === "sync") disk.sync();
  else if (one.do === "rename") disk.rename(one.file, one.to);
  else if (one.do === "remove") disk.remove(one.file);
  else disk[one.do](one.file, one.content);
}

function contents(disk: MachineDisk): Readonly<Record<string, string>> {
  return Object.fromEntries(disk.list().map((file) => [file, Buffer.from(disk.read(file)!).toString("hex")]));
}

/** The obvious model: two maps of whole files. */
function model(all: readonly Step[]): { seen: Map<string, string>; synced: Map<string, string> } {
  const seen = new Map<string, string>();
  let synced = new Map<string, string>();
  for (const one of all) {
    if (one.do === "sync") synced = new Map(seen);
    else if (one.do === "remove") seen.delete(one.file);
    else if (one.do === "rename") {
      const old = seen.get(one.file);
      seen.delete(one.file);
      if (old !== undefined) seen.set(one.to, old);
    } else {
      const hex = Buffer.from(one.content).toString("hex");
      seen.set(one.file, one.do === "append" ? (seen.get(one.file) ?? "") + hex : hex);
    }
  }
  return { seen, synced };
}

describe("a disk", () => {
  it("shows every write at once, and keeps all of it when only the process ends", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const disk = new MachineDisk();
        for (const one of all) perform(disk, one);
        const expected = Object.fromEntries(model(all).seen);
        expect(contents(disk)).toEqual(expected);
        disk.crash("kept", sequence(1));
        expect(contents(disk)).toEqual(expected);
      }),
      { numRuns },
    );
  });

  it("holds exactly what was synced after a power cut that loses the rest, also after a killed process", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const disk = new MachineDisk();
        for (const one of all) perform(disk, one);
        disk.crash("kept", sequence(1));
        disk.crash("lost", sequence(1));
        expect(contents(disk)).toEqual(Object.fromEntries(model(all).synced));
      }),
      { numRuns },
    );
  });

  it("never touches what was synced and not written since, however the rest is torn", () => {
    fc.assert(
      fc.property(steps, steps, fc.integer(), (before, after, seed) => {
        const disk = new MachineDisk();
        for (const one of [...before, { do: "sync" } as const, ...after.filter((one) => one.do !== "sync")])
          perform(disk, one);
        const { synced } = model([...before, { do: "sync" }]);
        disk.crash("torn", sequence(seed));
        for (const [file, old] of synced) {
          const written = after.some(
            (one) => one.do !== "sync" && (one.file === file || (one.do === "rename" && one.to === file)),
          );
          if (!written) expect(contents(disk)[file]).toBe(old);
          const appendedOnly =
            after.every((one) => one.do === "append" || one.do === "sync" || one.file !== file) &&
            !after.some((one) => one.do === "rename" && one.to === file);
          if (appendedOnly) expect(contents(disk)[file]?.startsWith(old)).toBe(true);
        }
      }),
      { numRuns },
    );
  });

  it("replaces a file whole or not at all by write, sync, rename, sync, wherever the power is cut", () => {
    fc.assert(
      fc.property(content, content, fc.nat(4), fc.integer(), (old, fresh, done, seed) => {
        const disk = new MachineDisk();
        disk.write("vote", old);
        disk.sync();
        const moves: readonly (() => void)[] = [
          () => disk.write("vote.new", fresh),
          () => disk.sync(),
          () => disk.rename("vote.new", "vote"),
          () => disk.sync(),
        ];
        for (const move of moves.slice(0, done)) move();
        disk.crash("torn", sequence(seed));
        const found = disk.read("vote");
        expect([old, fresh]).toContainEqual(found);
        if (done === 4) expect(found).toEqual(fresh);
      }),
      { numRuns },
    );
  });

  it("leaves every kind of wreck where a file is replaced with less care", () => {
    const found = new Set<string>();
    for (let seed = 0; seed < 400; seed++) {
      const disk = new MachineDisk();
      disk.write("vote", bytes("old"));
      disk.sync();
      disk.write("vote.new", bytes("fresh"));
      disk.rename("vote.new", "vote");
      disk.crash("torn", sequence(seed));
      found.add(Buffer.from(disk.read("vote") ?? []).toString());
    }
    for (const wreck of ["old", "fresh", "", "fre", "f\0\0\0\0"]) expect(found).toContain(wreck);
  });

  it("refuses writes while it is full, and has then written nothing", () => {
    const disk = new MachineDisk();
    disk.write("a", bytes("1"));
    disk.full++;
    const full = expect.objectContaining({ code: "sim/disk-full" });
    expect(() => disk.write("a", bytes("2"))).toThrow(full);
    expect(() => disk.append("a", bytes("2"))).toThrow(full);
    disk.full--;
    expect(disk.read("a")).toEqual(bytes("1"));
  });

  it("loses what a lying sync promised, unless a true one follows", () => {
    const disk = new MachineDisk();
    disk.lying++;
    disk.write("a", bytes("1"));
    disk.sync();
    expect(disk.durable("a")).toBeUndefined();
    disk.lying--;
    disk.sync();
    expect(disk.durable("a")).toEqual(bytes("1"));
  });

  it("neither keeps nor gives away the caller's bytes", () => {
    const disk = new MachineDisk();
    const mine = bytes("one");
    disk.write("a", mine);
    mine.fill(0);
    disk.read("a")!.fill(1);
    expect(disk.read("a")).toEqual(bytes("one"));
  });
});
