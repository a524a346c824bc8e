import { setTimeout as pause } from "node:timers/promises";
import { startBare } from "./bare.ts";
import type { Answer, Contender, Order, StartContender } from "./contender.ts";
import { startOurs } from "./ours.ts";

// A child process with one or more nodes; its one argument says which kind, its orders come from the parent.
const start: StartContender = process.argv[2] === "bare" ? startBare : startOurs;
const nodes: Contender[] = [];
let delays: number[] = [];
let onCount: (() => void) | undefined;

process.on("message", (order: Order) => {
  obey(order).then(
    (answer) => process.send?.({ to: order.do, at: String(process.hrtime.bigint()), ...answer }),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));

async function obey(order: Order): Promise<Partial<Answer>> {
  if (order.do === "start") return begin(order);
  if (order.do === "await-peers") return awaitPeers(order.peers);
  if (order.do === "expect") return expectMessages(order.messages);
  if (order.do === "publish") return publish(order);
  globalThis.gc?.();
  return { rssBytes: process.memoryUsage().rss };
}

async function begin({ nodes: count, bootstrap }: Order & { do: "start" }): Promise<Partial<Answer>> {
  const known = [...bootstrap];
  for (let i = 0; i < count; i++) {
    const node = await start(known);
    node.onMessage(receive);
    nodes.push(node);
    if (known.length === 0) known.push(node.address);
  }
  return { addresses: nodes.map(({ address }) => address) };
}

async function awaitPeers(peers: number): Promise<Partial<Answer>> {
  while (nodes.some((node) => node.peers() < peers)) await pause(5);
  return {};
}

function receive(data: Uint8Array): void {
  const sent = Buffer.from(data.buffer, data.byteOffset, data.byteLength).readBigUInt64LE(0);
  delays.push(Number(process.hrtime.bigint() - sent) / 1e6);
  onCount?.();
}

/** Fulfilled by the last expected message, or by silence: gossip under load may lose some. */
async function expectMessages(messages: number): Promise<Partial<Answer>> {
  delays = [];
  let last = performance.now();
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (performance.now() - last < (delays.length === 0 ? 15_000 : 2000)) return;
      clearInterval(look);
      resolve();
    }, 100);
    onCount = () => {
      last = performance.now();
      if (delays.length < messages) return;
      clearInterval(look);
      resolve();
    };
  });
  onCount = undefined;
  return { delays };
}

async function publish({ size, count, everyMs }: Order & { do: "publish" }): Promise<Partial<Answer>> {
  const [node] = nodes;
  for (let i = 0; i < count; i++) {
    const data = Buffer.alloc(size, i);
    data.writeBigUInt64LE(process.hrtime.bigint());
    await node?.publish(new Uint8Array(data));
    if (everyMs > 0) await pause(everyMs);
  }
  return {};
}
