import { type MultiaddrConnection, TypedEventEmitter } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { describe, expect, it } from "vitest";
import { Doorway } from "../src/doorway.ts";

class Caller extends TypedEventEmitter<Record<string, never>> {
  readonly remoteAddr;
  aborted = false;
  constructor(host: string) {
    super();
    this.remoteAddr = multiaddr(`/ip4/${host}/tcp/4000`);
  }
  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event("close"));
  }
}

function enter(door: Doorway, host: string): Caller {
  const caller = new Caller(host);
  door.enter(caller as unknown as MultiaddrConnection);
  return caller;
}

describe("the doorway", () => {
  it("lets whoever has waited longest go when it is crowded", () => {
    const door = new Doorway();
    const callers = Array.from({ length: 66 }, () => enter(door, "10.0.0.1"));
    expect(callers.map(({ aborted }) => aborted).lastIndexOf(true)).toBe(1);
    expect(callers.filter(({ aborted }) => aborted).length).toBe(2);
  });

  it("spares those of an address with few, however long they wait", () => {
    const door = new Doorway();
    const honest = enter(door, "10.0.0.2");
    const flood = Array.from({ length: 500 }, () => enter(door, "10.0.0.1"));
    expect(honest.aborted).toBe(false);
    expect(flood.filter(({ aborted }) => !aborted).length).toBe(63);
  });

  it("counts nobody who is in, or gone", () => {
    const door = new Doorway();
    const first = enter(door, "10.0.0.1");
    door.leave(first as unknown as MultiaddrConnection);
    const left = enter(door, "10.0.0.1");
    left.abort();
    const waiting = Array.from({ length: 64 }, () => enter(door, "10.0.0.1"));
    expect(waiting.some(({ aborted }) => aborted)).toBe(false);
    expect(first.aborted).toBe(false);
  });
});
