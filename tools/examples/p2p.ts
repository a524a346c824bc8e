/** Three nodes meet, and each hears the two others. Their keys stay in `data`. */
import { setTimeout } from "node:timers/promises";
import { type P2p, p2p } from "@chorus/p2p";

const mesh = { cluster: "demo", clusterSecret: crypto.getRandomValues(new Uint8Array(32)), topics: ["news"] };
await using leaving = new AsyncDisposableStack();
const nodes: P2p[] = [];
for (const name of ["ann", "ben", "cas"]) {
  const bootstrap = nodes.flatMap((node) => node.addresses());
  nodes.push(leaving.use(await p2p({}, { ...mesh, identityFile: `data/${name}.key`, bootstrap })));
}

const signal = AbortSignal.timeout(30_000);
const heard = nodes.map(async ({ pubsub, signer }) => {
  const senders = new Set<string>();
  for await (const { from } of pubsub.subscribe("news", { signal }))
    if (senders.add(from).size === 2) return `${signer.peer} heard ${[...senders].join(" and ")}`;
  throw new Error(`${signer.peer} heard only ${senders.size}`);
});
const all = Promise.all(heard);
// Gossip promises nothing, so whoever has news repeats it.
do for (const { pubsub } of nodes) await pubsub.publish("news", "greeting", { text: "hello" });
while ((await Promise.race([all, setTimeout(200)])) === undefined);
console.log((await all).join("\n"));
