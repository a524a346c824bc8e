import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { errorCode } from "@chorus/kernel";
import { expect, it } from "vitest";
import { fileDelivery } from "../src/file-delivery.ts";
import { type EffectorBench, permitted } from "../src/testing/index.ts";
import { temporary } from "./fixtures/git-server.ts";

const signal = new AbortController().signal;
const failure = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  );

function setup() {
  const place = temporary();
  const base = join(place.folder, "out");
  mkdirSync(base);
  return {
    base,
    outside: place.folder,
    agent: fileDelivery({ bases: [base] }),
    effect(path: string, text = "content\n") {
      const bench = {
        effect: () => ({
          kind: "file-delivery",
          target: path.startsWith("file:") ? path : pathToFileURL(path).href,
        }),
        payload: () => new TextEncoder().encode(text),
      };
      return permitted(bench as unknown as EffectorBench, 0);
    },
    [Symbol.dispose]: () => place[Symbol.dispose](),
  };
}

it("never takes another file's name", async () => {
  using test = setup();
  const file = join(test.base, "a.txt");
  writeFileSync(file, "somebody's");
  const { effect, payload } = test.effect(file);
  expect(await test.agent.resolve(effect, { signal })).toEqual({ status: "absent" });
  expect(errorCode(await failure(test.agent.act(effect, payload, { signal })))).toBe("effects/refused");
  expect(readFileSync(file, "utf8")).toBe("somebody's");
  expect(readdirSync(test.base)).toEqual(["a.txt"]);
});

it("clears away what a killed predecessor left of the same effect, and nothing else", async () => {
  using test = setup();
  const { effect, payload } = test.effect(join(test.base, "a.txt"));
  writeFileSync(join(test.base, `.chorus-effect-${effect.key}.0123`), "half");
  writeFileSync(join(test.base, ".chorus-effect-other.0123"), "theirs");
  const { reference } = await test.agent.act(effect, payload, { signal });
  expect(reference).toBe(`sha256:${effect.digest}`);
  expect(readdirSync(test.base).toSorted()).toEqual([".chorus-effect-other.0123", "a.txt"]);
});

it.each([
  ["outside", (base: string) => join(base, "../a.txt"), "effects/target-not-allowed"],
  ["beside", (base: string) => `${base}-2/a.txt`, "effects/target-not-allowed"],
  ["escaped", (base: string) => `${pathToFileURL(base).href}/..%2fa.txt`, "effects/invalid-effect"],
  ["folder", (base: string) => `${pathToFileURL(base).href}/`, "effects/invalid-effect"],
  ["host", () => "file://elsewhere/a.txt", "effects/invalid-effect"],
  ["ours", (base: string) => join(base, ".chorus-effect-x"), "effects/invalid-effect"],
])("refuses a target %s", async (_name, pathOf, code) => {
  using test = setup();
  const { effect, payload } = test.effect(pathOf(test.base));
  expect(() => test.agent.check(effect)).toThrowError(expect.objectContaining({ code }));
  expect(errorCode(await failure(test.agent.act(effect, payload, { signal })))).toBe(code);
});

it("follows no link out of its folder", async () => {
  using test = setup();
  mkdirSync(join(test.outside, "private"));
  symlinkSync(join(test.outside, "private"), join(test.base, "way-out"));
  const { effect, payload } = test.effect(join(test.base, "way-out/a.txt"));
  expect(errorCode(await failure(test.agent.act(effect, payload, { signal })))).toBe(
    "effects/target-not-allowed",
  );
  expect(readdirSync(join(test.outside, "private"))).toEqual([]);
});

it("makes no folders", async () => {
  using test = setup();
  const { effect, payload } = test.effect(join(test.base, "missing/a.txt"));
  expect(await failure(test.agent.act(effect, payload, { signal }))).toMatchObject({
    code: "effects/refused",
    message: expect.stringContaining("the folder is not there"),
  });
});

it("knows a delivery of a former attempt by its digest", async () => {
  using test = setup();
  const file = join(test.base, "a.txt");
  const old = test.effect(file, "old\n");
  await test.agent.act(old.effect, old.payload, { signal });
  const next = test.effect(file, "new\n");
  const known = { ...next.effect, earlier: [old.effect.digest] };
  const receipt = await test.agent.act(known, next.payload, { signal });
  expect(receipt.reference).toBe(`sha256:${old.effect.digest}`);
  expect(readFileSync(file, "utf8")).toBe("old\n");
});

it("wants folders that are absolute", () => {
  expect(() => fileDelivery({ bases: ["/a", "b"] })).toThrow("bases[1] must be absolute");
});
