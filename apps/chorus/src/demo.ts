import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DemoArguments, UsageError } from "./arguments.ts";
import { chooseSandbox } from "./choose-sandbox.ts";
import { type Job, offerJob } from "./job.ts";
import { type LocalMesh, type LocalPeer, startMesh } from "./local-mesh.ts";
import { meshComplete } from "./mesh-complete.ts";
import { readBack } from "./read-back.ts";
import { counted, printable, story, type Story } from "./story.ts";
import { tellTask, type StoryResult } from "./task-story.ts";

/** The parts of the process that the demo touches. */
export interface Terminal {
  readonly write: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** Something ended the demo that is neither its fault nor the task's; the message is for people. */
class DemoStopped extends Error {}

const ENTRY = "alice";
const OTHERS = ["bob", "carol"];
/** Every other variable is the launcher's to set, so one that is set by hand would be lost without a word. */
const PASSED_ON = ["CHORUS_DOCKER_HOST", "CHORUS_SANDBOX_IMAGES", "CHORUS_SANDBOX_PULL", "CHORUS_LOG_LEVEL"];

/** The main job: three agents, one task, its whole life. @returns the exit code */
export async function demo(args: DemoArguments, terminal: Terminal): Promise<number> {
  refuseUnknown(terminal.env);
  const told = story(terminal.write, performance.now());
  const offer = await offerJob(args);
  told.title("three agents on this machine, no broker, no database");
  const sandbox = await chooseSandbox(offer.languages, {
    ...terminal,
    onWait: (language) =>
      told.step("sandbox", `getting an image for ${language} ready; the first time it is pulled …`),
  });
  told.step("sandbox", sandbox.line);
  told.step("model", "none; the task's own commands are run (agents that think come with a model)");
  const job = await offer.prepare(sandbox.language);
  const directory = await mkdtemp(join(tmpdir(), "chorus-demo-"));
  const ended = { well: false };
  try {
    const env = { ...passedOn(terminal.env), CHORUS_SANDBOX_ENGINE: sandbox.engine };
    await using mesh = await startMesh({
      directory,
      first: { name: ENTRY },
      others: OTHERS.map((name) => ({ name })),
      env,
    });
    const known: Known = { holder: undefined };
    const stop = watch({ mesh, told, known }, terminal.signal);
    ended.well = await live({ mesh, job, told, signal: stop, known });
    if (args.keep && ended.well) await keep(mesh, told, stop);
    return ended.well ? 0 : 1;
  } catch (error) {
    if (terminal.signal.aborted) ended.well = true;
    else told.note(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
    return terminal.signal.aborted ? 130 : 1;
  } finally {
    if (ended.well) await rm(directory, { recursive: true, force: true });
    else told.note(`The agents' logs: ${directory}/*.log`);
  }
}

interface Scene {
  readonly mesh: LocalMesh;
  readonly job: Job;
  readonly told: Story;
  readonly signal: AbortSignal;
  readonly known: Known;
}

/** What is known of the task, for those who watch the processes. */
interface Known {
  /** Who runs it now. */
  holder: string | undefined;
}

/** @returns true when the task succeeded and was verified */
async function live({ mesh, job, told, signal, known }: Scene): Promise<boolean> {
  const names = await tellMesh(mesh, told, signal);
  const entry = byName(mesh, ENTRY);
  const id = await submit(entry, job, told).catch((error: unknown) => {
    if (error instanceof Error && error.cause === undefined) throw error;
    throw new DemoStopped(`${ENTRY} ended before it had accepted the task; nothing is lost, run it again`);
  });
  const nameOf = (peer: string): string => names.get(peer) ?? peer;
  const onHolder = (peer: string): void => void (known.holder = nameOf(peer));
  const { event, holder } = await tellTask({ id, peers: mesh.peers, nameOf, onHolder }, told, signal);
  known.holder = undefined;
  const { result } = event;
  if (result === undefined) {
    told.note(
      `\nThe task ended as ${event.type}: ${printable(event.reason?.message ?? "no reason was given")}`,
    );
    return false;
  }
  await tellResult({ mesh, result, told, worker: nameOf(holder ?? "") });
  if (result.outcome === "succeeded") {
    told.note(
      'done. Keep it running: npm start -- --keep   Your project: npm start -- --source DIR --run "npm test"',
    );
    told.note("      How it works: apps/docs/architecture.md   People: HAP comes with a later version");
    return true;
  }
  told.note(`\nThe task failed: ${printable(result.reason ?? "a command failed")}`);
  await tellOutput(mesh, result, told);
  return false;
}

async function tellMesh(mesh: LocalMesh, told: Story, signal: AbortSignal): Promise<Map<string, string>> {
  const whole = await meshComplete(mesh.peers, signal);
  const names = mesh.peers.map(({ name }) => name).toSorted();
  told.step(
    "p2p",
    `${names.join(" · ")} met, mesh closed by a shared secret, ${whole.encryption.join(" and ").toUpperCase()}`,
    {
      timed: true,
    },
  );
  const { admin, term, votes, voters } = whole.election;
  const who = whole.names.get(admin) ?? admin;
  told.step("election", `${who} is admin, term ${term}, ${votes} of ${voters} votes, verified by all`, {
    timed: true,
  });
  return whole.names;
}

function tellHeldBack({ source: { heldBack } }: Job, told: Story): void {
  if (heldBack.length === 0) return;
  const named = heldBack.slice(0, 5).map(({ name, reason }) => `${name} (${reason})`);
  const more = heldBack.length > named.length ? ` and ${heldBack.length - named.length} more` : "";
  told.step("shhh", `left out of the upload: ${named.join(", ")}${more}`);
}

async function submit(entry: LocalPeer, job: Job, told: Story): Promise<string> {
  tellHeldBack(job, told);
  const upload = (tar: Uint8Array): Promise<{ address: string }> => entry.client.post("/v1/inputs", tar);
  const inputs = [{ name: "source", ...(await upload(job.source.tar)) }];
  if (job.change) inputs.push({ name: "change", ...(await upload(job.change.tar)) });
  const ack = await entry.client.post<{ taskId: string; status: string; replicas: number }>("/v1/tasks", {
    goal: job.goal,
    project: "demo",
    name: job.name,
    requirements: { language: job.language },
    inputs: inputs.map(({ name, address }) => ({ name, address, mediaType: "application/x-tar" })),
    ...(job.commands === undefined ? {} : { commands: job.commands }),
  });
  const files = `${counted(job.source.files.length, "file")}, ${Math.ceil(job.source.bytes / 1024)} KB`;
  const where =
    ack.status === "committed"
      ? `committed on ${counted(ack.replicas, "peer")}`
      : "kept here until an admin orders it";
  told.step("api", `${entry.name} took task ${job.name} (${files}), ${where}`, { timed: true });
  return ack.taskId;
}

async function tellResult(scene: {
  mesh: LocalMesh;
  result: StoryResult;
  told: Story;
  worker: string;
}): Promise<void> {
  const { mesh, result, told, worker } = scene;
  const hidden =
    result.quarantined.length === 0 ? "" : `, ${counted(result.quarantined.length, "file")} held back`;
  told.step(
    "shhh",
    `${counted(result.redactions, "secret")} redacted before anything left the sandbox's host${hidden}`,
  );
  told.step("engine", `artifacts: ${result.artifacts.map(({ path }) => path).join(", ")}`);
  told.step("ucxl", `decision ${result.decision.address}`);
  told.step("", `→ ${result.decision.cid}`);
  const copies = `${counted(result.replicas, "replica")} at least, encrypted for mesh epoch 1${result.degraded ? " (degraded)" : ""}`;
  told.step("dht-storage", copies);
  const third = thirdPeer(mesh, worker);
  const read = await readBack(third.client, result);
  told.step(
    "ucxi",
    `read back through ${third.name}: hash ✓ signature ✓ evidence ✓ (${read.evidence} pieces)`,
    {
      timed: true,
    },
  );
}

async function tellOutput(mesh: LocalMesh, result: StoryResult, told: Story): Promise<void> {
  const log = result.artifacts.find(({ path }) => path === "output.log");
  const peer = mesh.peers.find(({ alive }) => alive);
  if (log === undefined || peer === undefined) return;
  const { bytes } = await peer.client.bytes(`/v1/blocks/${log.cid}`, "application/vnd.ipld.raw");
  const lines = new TextDecoder().decode(bytes).trimEnd().split("\n");
  for (const line of lines.slice(-20)) told.note(`  | ${printable(line)}`);
}

async function keep(mesh: LocalMesh, told: Story, signal: AbortSignal): Promise<void> {
  told.note("\nThe agents stay up until Ctrl-C. Their HTTP API:");
  for (const { name, client } of mesh.peers)
    told.note(`  ${name.padEnd(6)} ${client.url}  token ${client.token}`);
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Tells of agents that end on their own, and stops what cannot go on without them. */
function watch(
  { mesh, told, known }: { mesh: LocalMesh; told: Story; known: Known },
  signal: AbortSignal,
): AbortSignal {
  const lost = new AbortController();
  mesh.onLoss((peer, how) => {
    told.step("p2p", `${peer.name} is gone (${how})`, { timed: true });
    const left = mesh.peers.filter(({ alive }) => alive).length;
    if (left === 0) lost.abort(new DemoStopped("no agent is left"));
    else if (left * 2 <= mesh.peers.length)
      lost.abort(
        new DemoStopped(
          `${left} of ${mesh.peers.length} agents is no majority, so nothing can be committed any more; nothing ` +
            "that was acknowledged is lost: it is on the disk of every agent that is left.",
        ),
      );
    else if (peer.name === known.holder)
      told.step("", "the others go on: its lease runs out and another agent takes the task");
    else told.step("", "the others go on; if it was the admin, they elect the next one");
  });
  return AbortSignal.any([signal, lost.signal]);
}

function byName(mesh: LocalMesh, name: string): LocalPeer {
  const peer = mesh.peers.find((one) => one.name === name);
  if (peer?.alive !== true) throw new DemoStopped(`${name}, where the task should enter, is gone`);
  return peer;
}

/** A peer that neither took the task in nor ran it, as far as there is one. */
function thirdPeer(mesh: LocalMesh, worker: string): LocalPeer {
  const alive = mesh.peers.filter((peer) => peer.alive);
  const third =
    alive.find(({ name }) => name !== ENTRY && name !== worker) ?? alive.find(({ name }) => name !== worker);
  if (third === undefined) throw new DemoStopped("no peer is left that could check the result");
  return third;
}

function refuseUnknown(env: Terminal["env"]): void {
  const unknown = Object.keys(env).filter((name) => name.startsWith("CHORUS_") && !PASSED_ON.includes(name));
  if (unknown.length > 0)
    throw new UsageError(
      `${unknown.join(", ")} cannot be set for the demo; it knows ${PASSED_ON.join(", ")}`,
    );
}

function passedOn(env: Terminal["env"]): Record<string, string> {
  return Object.fromEntries(PASSED_ON.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}
