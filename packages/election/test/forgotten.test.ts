import { describe, expect, it } from "vitest";
import { PROFILES } from "../src/core/state.ts";
import { Script } from "./fixtures/script.ts";

const expecting = { settings: { expect: 3 } };

/** Three peers that founded a mesh together, the number of the admin first. */
function founded(): { mesh: Script; admin: number; others: [number, number] } {
  const mesh = new Script([expecting, expecting, expecting]);
  mesh.within(30_000, () => mesh.leader() !== undefined);
  mesh.advance(PROFILES.lan.beat * 4);
  const admin = mesh.leader()!;
  const [one = 0, other = 0] = [0, 1, 2].filter((n) => n !== admin);
  return { mesh, admin, others: [one, other] };
}

describe("a voter whose disk is lost while its name is kept", () => {
  it("does not vote again, so that nobody is elected in a term that has an admin", () => {
    const { mesh, admin, others } = founded();
    const [wiped, third] = others;
    for (const n of [admin, wiped, third]) mesh.kill(n);
    mesh.wipe(wiped);
    mesh.boot(wiped);
    mesh.boot(third);
    mesh.advance(60_000);
    expect(mesh.leader()).toBeUndefined();
    expect(mesh.state(wiped)).toMatchObject({ role: "observer", config: undefined });
  });

  it("says so, and follows whom the others elect", () => {
    const { mesh, others } = founded();
    const [wiped] = others;
    mesh.kill(wiped);
    mesh.wipe(wiped);
    mesh.boot(wiped);
    mesh.within(30_000, () => mesh.effects.some(({ kind }) => kind === "forgotten"));
    mesh.advance(10_000);
    const leader = mesh.leader()!;
    expect(mesh.state(wiped)).toMatchObject({ role: "observer", alive: true });
    expect(mesh.state(wiped).certificate?.candidate).toBe(mesh.state(leader).self);
  });

  it("is not taken for one that was away while its founding was completed", () => {
    const mesh = new Script([expecting, expecting, expecting]);
    mesh.lost = (_from, to, { kind }) => to === 2 && kind !== "found";
    mesh.within(30_000, () => mesh.leader() !== undefined);
    expect(mesh.state(2).config).toBeUndefined();
    mesh.boot(2);
    mesh.lost = () => false;
    mesh.within(30_000, () => mesh.state(2).role === "follower");
  });
});
