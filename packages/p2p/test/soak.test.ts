import { join } from "node:path";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { type P2p, p2p } from "../src/index.ts";
import { Upkeep } from "../src/upkeep.ts";
import { audible, lab, type Lab, met, SECRET, TOPIC, trio } from "./fixtures/mesh.ts";

const SLOW = process.env["SLOW"] === "1";
/** Members that come, speak and go, one after the other, each with a name of its own. */
const VISITORS = SLOW ? 400 : 12;
const MESSAGES = SLOW ? 40 : 10;
/** A visitor leaves some records behind; one that was held by anything would cost 700 KiB. */
const MOST_BYTES_LEFT = SLOW ? 98_304 : 1_048_576;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Members in this process that something still refers to. */
function members(): number {
  collect();
  return queryObjects(Upkeep, { format: "count" });
}

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Not by the lab: it would hold on to every node until its end. */
async function visit(at: Lab, residents: readonly P2p[]): Promise<void> {
  const [first] = residents;
  const visitor = await p2p(
    {},
    {
      cluster: at.cluster,
      clusterSecret: SECRET,
      identityFile: join(at.folder, crypto.randomUUID()),
      bootstrap: first!.addresses(),
      mdns: false,
      topics: [TOPIC],
    },
  );
  await met(first!, visitor.signer.peer);
  const stop = new AbortController();
  const state = { heard: 0 };
  const hearing = (async () => {
    for await (const { type } of first!.pubsub.subscribe(TOPIC, stop))
      if (type === "visit" && ++state.heard === MESSAGES) return;
  })();
  while (state.heard < MESSAGES) {
    await visitor.pubsub.publish(TOPIC, "visit", new Uint8Array(1_024));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await hearing;
  stop.abort();
  const { peer } = visitor.signer;
  await visitor[Symbol.asyncDispose]();
  await Promise.all(residents.map((node) => met(node, peer, false)));
}

it(
  "a mesh keeps its memory while members come and go",
  async () => {
    await using at = await lab();
    const residents = await trio(at);
    await audible(residents);
    const settled = async (): Promise<number> => {
      // Deadlines that have not passed yet hold on to what they would end.
      await expect.poll(members, { timeout: 60_000, interval: 500 }).toBe(residents.length);
      return held();
    };
    for (let n = 0; n < VISITORS / 2; n++) await visit(at, residents);
    const middle = await settled();
    for (let n = 0; n < VISITORS / 2; n++) await visit(at, residents);
    const growth = Math.round(((await settled()) - middle) / (VISITORS / 2));
    console.info(
      `${Math.round(middle / 1_024)} KiB after ${VISITORS / 2} visitors, then ${growth} bytes for each`,
    );
    expect(growth).toBeLessThan(MOST_BYTES_LEFT);
  },
  SLOW ? 1_800_000 : 120_000,
);
