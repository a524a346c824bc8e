import { describe, expect, it } from "vitest";
import { firstConfig } from "../src/config.ts";
import { Script } from "./fixtures/script.ts";
import { peers } from "./fixtures/setup.ts";

/** Peers by the founding of a mesh that each has for itself, lowest first. */
const byFounding = (...numbers: number[]): readonly number[] =>
  numbers
    .map((n) => ({ n, founding: firstConfig("mesh", [peers[n]!]).founding }))
    .toSorted((a, b) => (a.founding < b.founding ? -1 : 1))
    .map(({ n }) => n);

const founding = (mesh: Script, n: number): string | undefined => mesh.state(n).config?.founding;

/** Meshes of one voter each, all with an admin, that have not met. */
function lone(count: number): Script {
  const settings = { automatic: true };
  const mesh = new Script(Array.from({ length: count }, (_, n) => ({ voters: [peers[n]!], settings })));
  mesh.lost = () => true;
  mesh.within(1000, () => mesh.states().every(({ role }) => role === "admin"));
  return mesh;
}

describe("a fold", () => {
  it("of the mesh that took a peer in, and that it missed, is asked for again", () => {
    const [low, middle, high] = byFounding(0, 1, 2) as [number, number, number];
    const mesh = lone(3);
    mesh.lost = (from, to) => from === low || to === low;
    mesh.within(15_000, () => founding(mesh, high) === founding(mesh, middle));
    mesh.lost = (from, to) => from === high || to === high;
    mesh.within(15_000, () => founding(mesh, middle) === founding(mesh, low));
    mesh.advance(100);
    mesh.lost = () => false;
    mesh.within(10_000, () => founding(mesh, high) === founding(mesh, low) && mesh.state(high).alive);
    expect(mesh.leader()).toBe(low);
  });
  it("that the disk was too full for is taken up again", () => {
    const [low, high] = byFounding(0, 1) as [number, number];
    const mesh = lone(2);
    mesh.lost = () => false;
    mesh.full.add(high);
    mesh.within(15_000, () => mesh.state(high).proposal?.kind === "fold");
    mesh.advance(100);
    expect(mesh.state(high).role).toBe("admin");
    mesh.full.clear();
    mesh.within(15_000, () => founding(mesh, high) === founding(mesh, low));
  });
  it("that is being signed is into the mesh that it names, also when yet another is met meanwhile", () => {
    const [low, middle, high] = byFounding(0, 1, 2) as [number, number, number];
    const mesh = lone(3);
    const meet = (n: number): void => {
      const { certificate } = mesh.state(n);
      mesh.feed(high, { kind: "certificate", certificate: certificate!, from: peers[n]! });
    };
    meet(middle);
    expect(mesh.state(high).proposal).toMatchObject({
      kind: "fold",
      config: { founding: founding(mesh, middle) },
    });
    meet(low);
    mesh.advance(20);
    const { config, certificate } = mesh.state(high);
    expect(certificate?.config.founding).toBe(config?.founding);
    mesh.lost = () => false;
    mesh.within(20_000, () => [middle, high].every((n) => founding(mesh, n) === founding(mesh, low)));
  });
});
