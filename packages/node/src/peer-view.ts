import type { HealthCheck, Peer } from "@chorus/api";
import type { Base } from "./base.ts";
import type { Config } from "./config.ts";
import type { Coordination } from "./coordination.ts";
import type { SandboxOffer } from "./sandboxes.ts";

/** Parts that a peer tells about. */
export interface ViewedParts {
  readonly config: Config;
  readonly base: Base;
  readonly offer?: SandboxOffer;
  readonly coordination?: Coordination;
}

/** What a peer tells about itself over HTTP. */
export function peerView({ config, base, offer, coordination }: ViewedParts): Peer {
  const { mesh } = base;
  return {
    info: () => ({
      name: config.name,
      peer: mesh.signer.peer,
      cluster: config.cluster,
      closed: config.clusterSecret !== undefined,
      addresses: mesh.addresses(),
      capacity: coordination && offer?.best ? config.capacity : 0,
      sandbox: offer?.best ?? null,
    }),
    peers: () => mesh.connections(),
    election: () => electionView(coordination),
    health: async () => [
      check("p2p", mesh.addresses().length > 0 ? "pass" : "fail", "not listening"),
      ...(coordination ? coordinationChecks(coordination, offer) : []),
    ],
  };
}

function electionView(coordination: Coordination | undefined): object {
  const admin = coordination?.election.admin();
  if (admin === undefined) return { admin: null };
  const { certificate, peer, term } = admin;
  return {
    admin: peer,
    term,
    votes: certificate.votes.length,
    voters: certificate.config.voters.length,
    isSelf: coordination?.election.isAdmin() ?? false,
  };
}

function coordinationChecks({ election }: Coordination, offer: SandboxOffer | undefined): HealthCheck[] {
  const hasAdmin = election.admin() !== undefined;
  const sandbox = offer?.best;
  const isolation = sandbox === undefined ? "fail" : sandbox.level === "container" ? "pass" : "warn";
  return [
    check("election", hasAdmin ? "pass" : "warn", "no admin is known: tasks are kept and wait"),
    check(
      "sandbox",
      isolation,
      sandbox ? `${sandbox.engine}: isolation is ${sandbox.level}` : "no engine works",
    ),
  ];
}

function check(name: string, status: HealthCheck["status"], problem: string): HealthCheck {
  return status === "pass" ? { name, status } : { name, status, output: problem };
}
