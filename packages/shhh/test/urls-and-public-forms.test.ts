import { createSigner, cidOf } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { sampleSecrets } from "../src/testing/index.ts";
import { plainTags, setup } from "./setup.ts";

const sentinel = setup();
const redact = (text: string): string => plainTags(sentinel.redact(text).text);

describe("passwords in URLs", () => {
  it.each([
    ["postgres://app:s3cr3t@db:5432/x", "postgres://app:<url-password>@db:5432/x"],
    ["redis://:p4ss!w0rd@cache", "redis://:<url-password>@cache"],
    ["https://me:a:b@c@host/path?x#y", "https://me:<url-password>@host/path?x#y"],
    ["'mongodb+srv://u:p%40ss@h'", "'mongodb+srv://u:<url-password>@h'"],
    ["http://u:hunter2@[::1]:80/", "http://u:<url-password>@[::1]:80/"],
    ["see <amqp://u:pw1@h>", "see <amqp://u:<url-password>@h>"],
  ])("%s", (text, expected) => expect(redact(text)).toBe(expected));

  it.each([
    "http://localhost:3000/@scope/pkg",
    "https://registry.example:443/a@b",
    "ssh://git@github.com:22/x",
    "git://host/x:y@z",
    "postgres://${USER}:${PASS}@host",
    "postgres://user:$PASSWORD@host",
    "https://user:password@example.com",
    "https://user:****@example.com",
    "redis://:@host",
    "http://[::1]:8080/",
  ])("leaves %s", (text) => expect(redact(text)).toBe(text));

  it("hides a token in the place of the user, and the password beside it", () => {
    const token = sampleSecrets()[0]!.text;
    const once = sentinel.redact(`https://${token}:x-oauth@host/`).text;
    expect(plainTags(once)).toBe("https://<github-pat>:<url-password>@host/");
    expect(sentinel.redact(once).text).toBe(once);
  });
});

describe("what is not a secret", () => {
  it.each([
    "ucxl://agent:role@project:task/@latest/report.json",
    "ucxl://k51:*@demo:*",
    "ucxl://demo/task-1/reviewer/agent-2/@latest~3/a",
    `age1${"qpzry9x8gf2tvdw0s3jn54khce6mua7l".repeat(2).slice(0, 58)}`,
    "12D3KooWRpGzQ8mPLaPCqXyQ4h6eVqk1cNn5o4TzGqHkCwN9wF2a",
    "QmYwAPJzv5CZsnA625s1Xf2nemtYgPpHdWEz79ojWKPbdG",
    "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWRpGzQ8mPLaPCqXyQ4h6eVqk1cNn5o4TzGqHkCwN9wF2a",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "0a8e3c5e-3f0e-4a56-9a5f-2f1d8c1b7e42",
    `sha512-${"Ab9/".repeat(21)}Zw==`,
  ])("passes %s untouched", (text) => expect(redact(`x ${text} y`)).toBe(`x ${text} y`));

  it("passes addresses that the kernel makes", async () => {
    const { peer } = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
    const cid = await cidOf(new Uint8Array(9), "raw");
    const text = `${peer} ${cid} ucxl://${cid}/report.json`;
    expect(redact(text)).toBe(text);
    for (const name of [peer, cid, `ucxl://${cid}`])
      expect(sentinel.learn(name, "env:NAME")).toMatchObject({
        accepted: false,
        reason: "it is a public name",
      });
  });

  it("does not let the ucxl scheme hide credentials or tokens", () => {
    expect(redact("ucxl://agent:p4$$w0rd!@project:task/")).toBe("ucxl://agent:<url-password>@project:task/");
    const token = sampleSecrets()[0]!.text;
    expect(redact(`ucxl://demo/${token}/x`)).toBe("ucxl://demo/<github-pat>/x");
  });
});
