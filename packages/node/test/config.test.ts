import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { configuration, describeConfig } from "../src/config.ts";
import { ConfigError } from "../src/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "chorus-config-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};
const problems = (env: Record<string, string>): unknown => {
  try {
    configuration(env);
  } catch (error) {
    return error instanceof ConfigError ? error.detail["problems"] : error;
  }
  return [];
};

describe("configuration", () => {
  it("has a default for everything, and paths that do not depend on later working directories", () => {
    const config = configuration({});
    expect(config).toMatchObject({ name: "agent", cluster: "chorus", capacity: 1, mdns: true, httpPort: 0 });
    expect(config.dataDirectory).toBe(resolve(".chorus"));
    expect(config.identityFile).toBe(resolve(".chorus/identity.key"));
  });
  it("reads a secret from a file, without its newline, in hex or base64", () => {
    const secret = "ab".repeat(32);
    const hex = configuration({ CHORUS_CLUSTER_SECRET_FILE: file("hex", `${secret}\n`) });
    const base64 = configuration({ CHORUS_CLUSTER_SECRET: Buffer.from(secret, "hex").toString("base64") });
    expect(Buffer.from(hex.clusterSecret ?? []).toString("hex")).toBe(secret);
    expect(base64.clusterSecret).toEqual(hex.clusterSecret);
  });
  it("takes an empty variable for an unset one", () => {
    expect(configuration({ CHORUS_NAME: "", CHORUS_CLUSTER_SECRET: "" }).name).toBe("agent");
  });
  it("names every problem at once", () => {
    expect(
      problems({
        CHORUS_NAME: "Not A Name",
        CHORUS_MDNS: "yes",
        CHORUS_HTTP_PORT: "99999",
        CHORUS_CAPACITY: "-1",
      }),
    ).toEqual([
      { name: "CHORUS_NAME", problem: "must be 1 to 48 of a-z 0-9 - _ ." },
      { name: "CHORUS_MDNS", problem: "must be true or false" },
      { name: "CHORUS_CAPACITY", problem: "must be a whole number" },
      { name: "CHORUS_HTTP_PORT", problem: "must be at most 65535" },
    ]);
  });
  it("knows what an unknown variable should have been", () => {
    expect(problems({ CHORUS_HTP_PORT: "1" })).toEqual([
      { name: "CHORUS_HTP_PORT", problem: "is unknown; did you mean CHORUS_HTTP_PORT?" },
    ]);
  });
  it("makes no wild guess", () => {
    expect(problems({ CHORUS_FOO: "1" })).toEqual([
      { name: "CHORUS_FOO", problem: "is unknown; --help lists what is known" },
    ]);
  });
  it.each([
    ["a short secret", { CHORUS_CLUSTER_SECRET: "abcd" }, "CHORUS_CLUSTER_SECRET"],
    [
      "a secret given twice",
      { CHORUS_HTTP_TOKEN: "x".repeat(32), CHORUS_HTTP_TOKEN_FILE: "/x" },
      "CHORUS_HTTP_TOKEN",
    ],
    [
      "a secret file that is not there",
      { CHORUS_HTTP_TOKEN_FILE: "/nowhere/token" },
      "CHORUS_HTTP_TOKEN_FILE",
    ],
    ["an address beyond this machine", { CHORUS_HTTP_HOST: "0.0.0.0" }, "CHORUS_HTTP_HOST"],
    ["images without a language", { CHORUS_SANDBOX_IMAGES: "python" }, "CHORUS_SANDBOX_IMAGES"],
  ])("refuses %s", (_name, env, variable) => {
    expect(problems(env as Record<string, string>)).toContainEqual(
      expect.objectContaining({ name: variable }),
    );
  });
  it("reads images whose names hold anything but spaces", () => {
    const { sandboxImages } = configuration({ CHORUS_SANDBOX_IMAGES: "python=a/b:1@sha256:x=y, node=n" });
    expect(sandboxImages).toEqual({ python: "a/b:1@sha256:x=y", node: "n" });
  });
});

describe("describeConfig", () => {
  it("shows values and sources, never a secret", () => {
    const token = "very-secret-token-of-32-characters";
    const entries = describeConfig({ CHORUS_HTTP_TOKEN: token, CHORUS_NAME: "bob" });
    expect(JSON.stringify(entries)).not.toContain(token);
    expect(entries).toContainEqual(
      expect.objectContaining({ name: "CHORUS_NAME", value: "bob", source: "environment" }),
    );
    expect(entries).toContainEqual(expect.objectContaining({ name: "CHORUS_HTTP_TOKEN", value: "(secret)" }));
  });
});
