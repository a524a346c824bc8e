/** Three processes elect an admin; it is killed, and another one follows. Keys and votes stay in `data`. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { election, sqliteVoteStore } from "@chorus/election";
import { silentLogger, systemClock } from "@chorus/kernel";
import { p2p } from "@chorus/p2p";
const [name, secret = crypto.randomUUID().replaceAll("-", ""), ...bootstrap] = process.argv.slice(2);
if (name === undefined) {
  const addresses: string[] = [];
  let dead: ChildProcess | undefined;
  for (const voter of ["ann", "ben", "cas"]) {
    const child = fork(import.meta.filename, [voter, secret, ...addresses]);
    addresses.push(...(await once(child, "message"))[0]);
    child.on("message", (term) => {
      console.log(voter, "is admin of term", term);
      if (dead === undefined) (dead = child).kill("SIGKILL");
      else if (dead !== child) process.exit();
    });
  }
} else {
  process.once("disconnect", () => process.exit());
  const mesh = { cluster: "demo", clusterSecret: Buffer.from(secret), topics: ["chorus/election/v1"] };
  const node = await p2p({}, { ...mesh, identityFile: `data/${name}.key`, bootstrap });
  process.send?.(node.addresses());
  const store = sqliteVoteStore(`data/${name}.sqlite`);
  const ports = { ...node, store, clock: systemClock, random: Math.random, logger: silentLogger };
  const voting = await election(ports, { cluster: "demo", role: "voter", expect: 3 });
  for await (const admin of voting.changes({ signal: new AbortController().signal }))
    if (admin?.peer === node.signer.peer) process.send?.(admin.term);
}
