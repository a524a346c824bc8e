import { spawnSync } from "node:child_process";
import type { Place, Way } from "./places.ts";

/** Network namespaces of this process have names of this form. */
const PREFIX = "chorus-chaos";
/** Groups that have no meaning but to tell the peers of one loopback apart. */
const FIRST_GROUP = 70_000;
const FIRST_PORT = 4001;
const TIMEOUT_MS = 20_000;
let made = 0;

/** @returns why there can be no network namespaces here, or undefined when there can */
export function namespacesMissing(): string | undefined {
  if (process.platform !== "linux") return "only Linux has them";
  if (process.getuid?.() !== 0) return "not root";
  sweep();
  try {
    using place = loopbackNamespace(2);
    place.lose?.([[0, 1]]);
    using bridged = bridgedNamespaces(2);
    bridged.lose?.([[0, 1]]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Removes what a process left behind that was killed itself. */
function sweep(): void {
  const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8", timeout: TIMEOUT_MS });
  for (const line of (listed.stdout ?? "").split("\n")) {
    const name = line.split(" ")[0] ?? "";
    const owner = new RegExp(`^${PREFIX}-(\\d+)-`, "u").exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) ip("netns", "delete", name);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * The loopback of one namespace: all peers share 127.0.0.1. A connection is marked with its two ends when it opens
 * (the group of the dialling process, the port that is dialled), and packets are lost by mark and direction.
 */
export function loopbackNamespace(peers: number): Place {
  const [stack, names] = namespaces(["loopback"]);
  const name = names[0] ?? "";
  const all = Array.from({ length: peers }, (_, peer) => peer);
  const pairs = all.flatMap((from) => all.flatMap((to) => (from === to ? [] : [[from, to] as const])));
  const mark = ([from, to]: Way): number => 1 + from * peers + to;
  try {
    inside(name, "ip", "link", "set", "lo", "up");
    const marks = pairs.map(
      ([from, to]) =>
        `-A OUTPUT -p tcp --syn -m owner --gid-owner ${FIRST_GROUP + from} --dport ${FIRST_PORT + to} -j CONNMARK --set-mark ${mark([from, to])}`,
    );
    rules(name, "mangle", marks);
  } catch (error) {
    stack.dispose();
    throw error;
  }
  return {
    name: "loopback",
    address: (peer) => `/ip4/127.0.0.1/tcp/${FIRST_PORT + peer}`,
    launch: (peer) => ({ before: ["ip", "netns", "exec", name], group: FIRST_GROUP + peer }),
    lose: (ways) =>
      rules(
        name,
        "filter",
        ways.flatMap(([from, to]) => [
          `-A INPUT -m connmark --mark ${mark([from, to])} -m conntrack --ctdir ORIGINAL -j DROP`,
          `-A INPUT -m connmark --mark ${mark([to, from])} -m conntrack --ctdir REPLY -j DROP`,
        ]),
      ),
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** A namespace for each peer, all joined by a bridge that has one of its own: nothing of it touches the machine's network. */
export function bridgedNamespaces(peers: number): Place {
  const all = Array.from({ length: peers }, (_, peer) => peer);
  const [stack, [hub = "", ...names]] = namespaces(["hub", ...all.map(String)]);
  const host = (peer: number): string => `10.77.0.${peer + 1}`;
  try {
    ip("-n", hub, "link", "add", "name", "hub", "up", "type", "bridge");
    for (const [peer, name] of names.entries()) {
      const port = `peer${peer}`;
      ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name);
      ip("-n", hub, "link", "set", port, "master", "hub", "up");
      ip("-n", name, "address", "add", `${host(peer)}/24`, "dev", "eth0");
      ip("-n", name, "link", "set", "eth0", "up");
      ip("-n", name, "link", "set", "lo", "up");
    }
  } catch (error) {
    stack.dispose();
    throw error;
  }
  return {
    name: "namespaces",
    address: (peer) => `/ip4/${host(peer)}/tcp/${FIRST_PORT}`,
    launch: (peer) => ({ before: ["ip", "netns", "exec", names[peer] ?? ""] }),
    lose: (ways) => {
      for (const [peer, name] of names.entries())
        rules(
          name,
          "filter",
          ways.flatMap(([from, to]) => (to === peer ? [`-A INPUT -s ${host(from)} -j DROP`] : [])),
        );
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** With them go their interfaces, rules and bridges. */
function namespaces(parts: readonly string[]): readonly [DisposableStack, readonly string[]] {
  const stack = new DisposableStack();
  const group = `${PREFIX}-${process.pid}-${++made}`;
  try {
    return [
      stack,
      parts.map((part) => {
        const name = `${group}-${part}`;
        ip("netns", "add", name);
        stack.defer(() => void spawnSync("ip", ["netns", "delete", name], { timeout: TIMEOUT_MS }));
        return name;
      }),
    ];
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

/** Replaces all rules of a table by these, in one step. */
function rules(namespace: string, table: string, list: readonly string[]): void {
  const text = [`*${table}`, ...list, "COMMIT", ""].join("\n");
  command(["ip", "netns", "exec", namespace, "iptables-restore"], text);
}

function inside(namespace: string, ...words: readonly string[]): void {
  command(["ip", "netns", "exec", namespace, ...words]);
}

function ip(...words: readonly string[]): void {
  command(["ip", ...words]);
}

/** @throws with what the command said */
function command([program = "", ...words]: readonly string[], input = ""): void {
  const { status, stderr, error } = spawnSync(program, words, {
    input,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined) throw new Error(`${program} cannot be run`, { cause: error });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")}: ${stderr.split("\n")[0]}`);
}
