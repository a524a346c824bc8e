import { createSigner } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { type JoinChannel, joinKey, type JoinRun, proveMembership } from "../src/join-proof.ts";
import { SECRET } from "./fixtures/mesh.ts";

const [alice, bob, mallory] = (
  await Promise.all([1, 2, 3].map((n) => createSigner(new Uint8Array(32).fill(n))))
).map(({ peer }) => peer);
if (!alice || !bob || !mallory) throw new Error("three peers expected");

const KEY = joinKey(SECRET, "test");
const HELLO = 33;

/** Bytes that one side has written and the other not yet read. */
class Pipe {
  readonly written: Uint8Array[] = [];
  #pending = new Uint8Array();
  #ended = false;
  #wake: (() => void) | undefined;

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
    this.#pending = Uint8Array.of(...this.#pending, ...bytes);
    this.#wake?.();
  }
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
  async read(length: number): Promise<Uint8Array> {
    while (this.#pending.length < length) {
      if (this.#ended) throw new Error("the channel is closed");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const bytes = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    return bytes;
  }
}

function channel(input: Pipe, output: Pipe): JoinChannel {
  return { read: (length) => input.read(length), write: async (bytes) => output.write(bytes) };
}

/** Runs both sides; a side that refuses closes the channel, as the real one does. */
async function meet(initiator: Partial<JoinRun>, responder: Partial<JoinRun>) {
  const up = new Pipe();
  const down = new Pipe();
  const run = { key: KEY, self: alice!, remote: bob!, initiator: true, ...initiator };
  const mirror = { key: KEY, self: bob!, remote: alice!, initiator: false, ...responder };
  const close = (): void => [up, down].forEach((pipe) => pipe.end());
  const sides = [
    proveMembership(channel(down, up), run).finally(close),
    proveMembership(channel(up, down), mirror),
  ].map((side) =>
    side.then(
      () => "joined",
      (error: Error) => {
        close();
        return error.message;
      },
    ),
  );
  const [first, second] = await Promise.all(sides);
  return { first, second, up, down };
}

/** A side that sends what it was given and waits to be refused or let in. */
async function play(bytes: readonly Uint8Array[], run: JoinRun): Promise<string> {
  const up = new Pipe();
  for (const part of bytes) up.write(part);
  up.end();
  return proveMembership(channel(up, new Pipe()), run).then(
    () => "joined",
    (error: Error) => error.message,
  );
}

describe("the join proof", () => {
  it("lets two members meet, and sends no key", async () => {
    const { first, second, up, down } = await meet({}, {});
    expect([first, second]).toEqual(["joined", "joined"]);
    for (const { written } of [up, down]) expect(written.map(({ length }) => length)).toEqual([HELLO, 32]);
    const wire = Buffer.concat([...up.written, ...down.written]);
    expect(wire.includes(Buffer.from(SECRET))).toBe(false);
    expect(wire.includes(Buffer.from(KEY))).toBe(false);
  });

  it.each(["initiator", "responder"])("refuses an %s with another secret", async (who) => {
    const stranger = { key: joinKey(new Uint8Array(32).fill(8), "test") };
    const { first, second } = await meet(
      who === "initiator" ? stranger : {},
      who === "responder" ? stranger : {},
    );
    expect([first, second]).toContain("join refused: the other side does not know the cluster secret");
    expect([first, second]).not.toContain("joined");
  });

  it("refuses a member of another mesh with the same secret", async () => {
    const { first, second } = await meet({ key: joinKey(SECRET, "other") }, {});
    expect([first, second]).not.toContain("joined");
  });

  it("proves nothing to a side that has not proved itself first", async () => {
    const { down } = await meet({ key: joinKey(new Uint8Array(32), "test") }, {});
    expect(down.written.map(({ length }) => length)).toEqual([HELLO]);
  });

  it("refuses a recorded proof, with the recorded or a fresh greeting", async () => {
    const { up, down } = await meet({}, {});
    const fresh = Uint8Array.of(1, ...crypto.getRandomValues(new Uint8Array(32)));
    const responder = { key: KEY, self: bob, remote: alice, initiator: false };
    const initiator = { key: KEY, self: alice, remote: bob, initiator: true };
    for (const [pipe, victim] of [[up, responder] as const, [down, initiator] as const]) {
      expect(await play(pipe.written, victim)).toContain("does not know");
      expect(await play([fresh, pipe.written[1]!], victim)).toContain("does not know");
    }
  });

  it("refuses a proof that was made for another peer", async () => {
    // Mallory has lured Alice into proving herself, and shows that proof to Bob under her own name.
    const { up } = await meet({ remote: mallory }, { self: mallory });
    const bobMeetsMallory = { key: KEY, self: bob, remote: mallory, initiator: false };
    expect(await play(up.written, bobMeetsMallory)).toContain("does not know");
  });

  it.each<[string, Partial<JoinRun>, Partial<JoinRun>]>([
    ["both", { remote: mallory }, { remote: mallory }],
    ["the initiator alone", { remote: mallory }, {}],
    ["the responder alone", {}, { remote: mallory }],
  ])(
    "refuses what is relayed live by someone who stands in the middle of %s",
    async (_, initiator, responder) => {
      const { first, second } = await meet(initiator, responder);
      expect([first, second]).not.toContain("joined");
    },
  );

  it("refuses a member's own messages sent back to it", async () => {
    const up = new Pipe();
    const reflected = proveMembership(channel(up, up), {
      key: KEY,
      self: alice,
      remote: bob,
      initiator: true,
    });
    await expect(reflected).rejects.toMatchObject({ code: "p2p/join-refused" });
  });

  it("refuses another version or something else entirely", async () => {
    const run = { key: KEY, self: bob, remote: alice, initiator: false };
    expect(await play([Uint8Array.of(2, ...new Uint8Array(64))], run)).toContain("does not speak");
    expect(
      await play([new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")], run),
    ).toContain("does not speak");
    expect(await play([Uint8Array.of(1, 2)], run)).toBe("the channel is closed");
  });
});
