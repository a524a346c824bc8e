import { z } from "zod";
import { credentials, folders, gitRules, httpRules } from "./effect-settings.ts";

/** One environment variable: how it is read, and what people are told about it. */
export interface Setting<T> {
  readonly name: string;
  readonly help: string;
  readonly schema: z.ZodType<T, string | undefined>;
  /** A secret may be given as a file by the name with `_FILE`, and is never printed. */
  readonly secret?: boolean;
}

const MIB = 1_048_576;
const flag = (fallback: boolean): z.ZodType<boolean, string | undefined> =>
  z
    .enum(["true", "false", "1", "0"], { error: "must be true or false" })
    .optional()
    .transform((text) => (text === undefined ? fallback : text === "true" || text === "1"));
const count = (fallback: number, min: number, max: number): z.ZodType<number, string | undefined> =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .optional()
    .transform((value) => value ?? fallback);
/** Their shape only: the mesh itself knows which ones it can use. */
const addresses = (fallback: readonly string[]): z.ZodType<readonly string[], string | undefined> =>
  z
    .string()
    .transform((text) =>
      text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    )
    .pipe(
      z.array(z.string().regex(/^\/[a-z0-9]+\/\S+$/, "must be multiaddrs such as /ip4/127.0.0.1/tcp/4001")),
    )
    .optional()
    .transform((items) => items ?? fallback);
const name = z.string().regex(/^[a-z0-9]([a-z0-9._-]{0,46}[a-z0-9])?$/, "must be 1 to 48 of a-z 0-9 - _ .");
const text = (fallback: string): z.ZodType<string, string | undefined> => z.string().default(fallback);
const pairs = z
  .string()
  .optional()
  .transform((value, context) => {
    const entries = (value ?? "").split(",").filter((item) => item.trim() !== "");
    for (const item of entries)
      if (!/^[a-z]+=\S+$/.test(item.trim()))
        context.addIssue({ code: "custom", message: "must be language=image, separated by commas" });
    return Object.fromEntries(entries.map((item) => item.trim().split(/=(.*)/s).slice(0, 2)));
  });

/** Every variable that a peer reads; an unknown `CHORUS_…` is an error. */
export const settings = {
  name: setting("CHORUS_NAME", "What people call this peer", name.default("agent")),
  cluster: setting("CHORUS_CLUSTER", "Name of the mesh", name.default("chorus")),
  clusterSecret: setting(
    "CHORUS_CLUSTER_SECRET",
    "32 bytes in hex or base64; closes the mesh",
    secret(32),
    true,
  ),
  dataDirectory: setting("CHORUS_DATA_DIR", "Where this peer keeps everything", text(".chorus")),
  identityFile: setting(
    "CHORUS_IDENTITY_KEY_FILE",
    "Private key of this peer, mode 0600; made when missing (default: identity.key in the data directory)",
    z.string().optional(),
  ),
  listen: setting("CHORUS_LISTEN", "Multiaddrs to listen on", addresses(["/ip4/127.0.0.1/tcp/0"])),
  announce: setting("CHORUS_ANNOUNCE", "Multiaddrs to tell others instead", addresses([])),
  bootstrap: setting("CHORUS_BOOTSTRAP", "Multiaddrs of peers to join through", addresses([])),
  mdns: setting("CHORUS_MDNS", "Find peers on the local network", flag(true)),
  electionEligible: setting(
    "CHORUS_ELECTION_ELIGIBLE",
    "Vote and stand as admin; false: follow the admin that others elect",
    flag(true),
  ),
  bootstrapExpect: setting(
    "CHORUS_BOOTSTRAP_EXPECT",
    "Voters that found a new mesh together, the same on each: 3 survive the loss of one; at 1, who has CHORUS_BOOTSTRAP founds none",
    count(1, 1, 7),
  ),
  electionProfile: setting(
    "CHORUS_ELECTION_PROFILE",
    "Timing of the election",
    z.enum(["lan", "wan"]).default("lan"),
  ),
  capacity: setting("CHORUS_CAPACITY", "Tasks run at once; 0 takes part and runs none", count(1, 0, 64)),
  leaseMs: setting(
    "CHORUS_LEASE_MS",
    "Silence after which a task goes to another peer",
    count(5000, 500, 600_000),
  ),
  sandboxEngine: setting(
    "CHORUS_SANDBOX_ENGINE",
    "auto: docker where it answers, else embedded",
    z.enum(["auto", "docker", "embedded"]).default("auto"),
  ),
  dockerHost: setting("CHORUS_DOCKER_HOST", "unix:///path or tcp://host:port", z.string().optional()),
  sandboxImages: setting(
    "CHORUS_SANDBOX_IMAGES",
    "Images by language, for example python=python:3.13-slim",
    pairs,
  ),
  sandboxPull: setting(
    "CHORUS_SANDBOX_PULL",
    "Whether a missing image is pulled",
    z.enum(["missing", "never"]).default("missing"),
  ),
  effectsGit: setting(
    "CHORUS_EFFECTS_GIT",
    'Repositories that tasks may push to, as JSON: [{"url","refs"?,"credential"?}]',
    gitRules,
  ),
  effectsHttp: setting(
    "CHORUS_EFFECTS_HTTP",
    'Endpoints that tasks may call, as JSON: [{"url","methods"?,"credential"?,"idempotent"?,"lookup"?,"private"?}]',
    httpRules,
  ),
  effectsFiles: setting(
    "CHORUS_EFFECTS_FILES",
    "Folders, absolute, that tasks may deliver files to",
    folders,
  ),
  effectsUcxl: setting("CHORUS_EFFECTS_UCXL", "Tasks may publish in the mesh", flag(true)),
  effectsCredentials: setting(
    "CHORUS_EFFECTS_CREDENTIALS",
    'Credentials by the name that rules refer to, as JSON: {"name":{"kind":"bearer","token"}}; also basic, header',
    credentials,
    true,
  ),
  httpHost: setting("CHORUS_HTTP_HOST", "Address of the HTTP API; loopback only for now", loopback()),
  httpPort: setting(
    "CHORUS_HTTP_PORT",
    "Port of the HTTP API; 0 lets the system choose",
    count(0, 0, 65_535),
  ),
  httpToken: setting(
    "CHORUS_HTTP_TOKEN",
    "Bearer token, at least 32 characters (default: made once, kept in the data directory)",
    z.string().min(32, "must have at least 32 characters").optional(),
    true,
  ),
  inputBytes: setting("CHORUS_INPUT_BYTES", "Largest input of a task", count(256 * MIB, 1, 4096 * MIB)),
  storageBytes: setting("CHORUS_STORAGE_BYTES", "Room for stored blobs", count(10_240 * MIB, MIB, 2 ** 50)),
  logLevel: setting(
    "CHORUS_LOG_LEVEL",
    "Least level that is logged",
    z.enum(["debug", "info", "warn", "error"]).default("info"),
  ),
};

function setting<T>(
  variable: string,
  help: string,
  ...[schema, isSecret]: [z.ZodType<T, string | undefined>, boolean?]
): Setting<T> {
  return { name: variable, help, schema, ...(isSecret ? { secret: true } : {}) };
}

function secret(bytes: number): z.ZodType<Uint8Array | undefined, string | undefined> {
  return z
    .string()
    .optional()
    .transform((value, context) => {
      if (value === undefined) return undefined;
      const encoding = /^[0-9a-f]+$/i.test(value) && value.length === bytes * 2 ? "hex" : "base64";
      const decoded = new Uint8Array(Buffer.from(value, encoding));
      if (decoded.length === bytes) return decoded;
      context.addIssue({ code: "custom", message: `must be ${bytes} bytes in hex or base64` });
      return z.NEVER;
    });
}

function loopback(): z.ZodType<string, string | undefined> {
  return z
    .enum(["127.0.0.1", "::1"], {
      error: "must be 127.0.0.1 or ::1: other addresses need TLS, which is not there yet",
    })
    .default("127.0.0.1");
}
