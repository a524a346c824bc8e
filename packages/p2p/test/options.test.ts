import { InvalidInputError, type PeerId } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { parseOptions } from "../src/options.ts";
import { recordingLogger, SECRET } from "./fixtures/mesh.ts";

const someone = "k51qzi5uqu5dk6i3v9y9k41n099m5u2bl6necc24mp8o8171rwbiui5rmt42jm" as PeerId;
const TCP = "/ip4/127.0.0.1/tcp/0";

/** As a caller without types may write them. */
function parse(options: Record<string, unknown> = {}, logger = recordingLogger()) {
  const usual = { cluster: "demo", clusterSecret: SECRET, identityFile: "key", topics: ["news"] };
  return parseOptions({ ...usual, ...options }, logger);
}

function problemOf(options: Record<string, unknown>): Record<string, unknown> {
  try {
    parse(options);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return (error as InvalidInputError).detail;
  }
  throw new Error("nothing was refused");
}

const wrong: Record<string, readonly unknown[]> = {
  cluster: [undefined, null, 5, "", "x".repeat(65), "\ud800", ["demo"]],
  clusterSecret: [
    null,
    "s".repeat(32),
    new Uint16Array(32).fill(1),
    Array.from({ length: 32 }, () => 1),
    new Uint8Array(31).fill(1),
    new Uint8Array(32),
    { length: 32, slice: () => SECRET },
  ],
  identityFile: [undefined, null, "", 5, true, new URL("file:///key")],
  addressBookFile: [null, true, "", 5],
  listen: [null, TCP, 5, { length: 1, 0: TCP }],
  announce: [null, TCP],
  bootstrap: [null, `${TCP}/p2p/${someone}`],
  mdns: [null, "false", 0],
  serveRelay: [null, "true", 1],
  useRelays: [null, "1", -1, 0.5, 5, Number.NaN],
  topics: [undefined, null, "news", { news: true }, Array.from({ length: 65 }, (_, i) => `t${i}`)],
  isRevoked: [null, true, "someone", new Set([someone])],
  encryption: [null, "tls", []],
};

describe("the options", () => {
  it.each(Object.entries(wrong).flatMap(([path, values]) => values.map((value) => ({ path, value }))))(
    "refuse $value as $path by name",
    ({ path, value }) => {
      expect(problemOf({ [path]: value })).toMatchObject({ path });
    },
  );

  it.each(
    Object.entries({
      topics: [1, "", null, "t".repeat(257), "\ud800"],
      encryption: ["TLS", "quic", null, 5],
      listen: [5, null, "", new Uint8Array(8)],
      announce: [5, null, ""],
      bootstrap: [5, null, ""],
    }).flatMap(([list, entries]) => entries.map((entry) => ({ list, entry }))),
  )("refuse $entry in $list by its place", ({ list, entry }) => {
    const good = { topics: "news", encryption: "tls", listen: TCP, announce: TCP }[list];
    const before = good ?? `/ip4/127.0.0.1/tcp/1/p2p/${someone}`;
    expect(problemOf({ [list]: [before, entry] })).toMatchObject({ path: `${list}/1` });
  });

  it.each([undefined, null, "demo"])("refuse to be %s", (options) => {
    expect(() => parseOptions(options as never)).toThrow("options: must be an object");
  });

  it("say the whole range of useRelays", () => {
    expect(problemOf({ useRelays: -1 })["problem"]).toBe("must be a whole number from 0 to 4");
  });

  it.each([
    "/",
    "/ip4/127.0.0.1",
    "/tcp/4001",
    "/ip4/127.0.0.1/udp/4001",
    "/ip4/127.0.0.1/udp/4001/quic-v1",
    "/ip4/127.0.0.1/tcp/4001/http",
    "/ip4/127.0.0.1/tcp/4001/wss",
    "/ip4/127.0.0.1/tcp/4001/tls/ws",
    "/unix/tmp%2Fsocket",
    "/p2p-circuit",
    `/ip4/127.0.0.1/tcp/1/p2p/${someone}/p2p-circuit`,
  ])("refuse to listen on %s beside a good address", (address) => {
    expect(problemOf({ listen: [TCP, address] })).toMatchObject({
      path: "listen/1",
      problem: expect.stringContaining("must be TCP or WebSocket"),
    });
  });

  it.each([TCP, "/ip6/::1/tcp/0", "/dns4/localhost/tcp/4001", "/ip6/::/tcp/4002/ws", `${TCP}/ws`])(
    "let a node listen on %s",
    (address) => {
      expect(parse({ listen: [address] }).listen).toEqual([address]);
    },
  );

  it("let everything be left out that has a default", () => {
    const left = ["listen", "announce", "bootstrap", "mdns", "isRevoked", "encryption", "addressBookFile"];
    const none = Object.fromEntries([...left, "serveRelay", "useRelays"].map((name) => [name, undefined]));
    const { isRevoked, ...settings } = parse(none);
    expect(isRevoked(someone)).toBe(false);
    expect(settings).toEqual({
      cluster: "demo",
      clusterSecret: SECRET,
      identityFile: "key",
      listen: [TCP],
      announce: [],
      bootstrap: [],
      mdns: true,
      topics: ["news"],
      encryption: ["tls", "noise"],
      addressBookFile: "key.peers",
      serveRelay: false,
      useRelays: 0,
    });
    expect(parse({ clusterSecret: undefined }).clusterSecret).toBeUndefined();
  });

  it("keep a secret that its owner wipes, from a Buffer too", () => {
    const clusterSecret = Buffer.from(SECRET);
    const settings = parse({ clusterSecret });
    clusterSecret.fill(0);
    expect(settings.clusterSecret).toEqual(SECRET);
  });

  it.each([
    ["throws", () => JSON.parse("no list")],
    ["gives no answer", () => undefined],
    ["only promises one", async () => false],
  ])("count everyone as revoked when isRevoked %s, and say so once", (_, isRevoked) => {
    const logger = recordingLogger();
    const settings = parse({ isRevoked }, logger);
    for (let i = 0; i < 3; i++) expect(settings.isRevoked(someone)).toBe(true);
    expect(logger.lines).toEqual([
      {
        message: "isRevoked has no answer, which counts as yes",
        fields: { peer: someone, error: expect.any(Error) },
      },
    ]);
  });
});
