import type Docker from "dockerode";
import { ImageRefusedError, ImageUnavailableError } from "../errors.ts";
import { reasonOf, statusOf } from "./client.ts";

/** An image that is on the engine's machine and obeys the rules. */
export interface ReadyImage {
  /** `sha256:…`: what is started, whatever the name means later. */
  readonly id: string;
  readonly env: readonly string[];
  /** `name@sha256:…`, for records. */
  readonly reference: string;
}

/** Label of an image that was prepared for languages: their names, separated by commas. */
const LANGUAGES_LABEL = "chorus.languages";

/** How an image is found. */
export interface ImageSearch {
  readonly pull: "missing" | "never";
  /** Nobody asked for this very image: one that was prepared here for the language is as good, and saves a pull. */
  readonly preparedFor?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Finds the image, brings it if allowed, and checks that it carries nothing that would pierce the profile. */
export async function prepareImage(docker: Docker, wanted: string, search: ImageSearch): Promise<ReadyImage> {
  const local = await inspect(docker, wanted);
  const prepared = local === undefined ? await findPrepared(docker, search.preparedFor) : undefined;
  const image = prepared ?? wanted;
  const found = local ?? (await inspect(docker, image)) ?? (await pull(docker, image, search));
  const { Volumes: volumes, OnBuild: onBuild, Env: env } = found.Config;
  if (volumes != null && Object.keys(volumes).length > 0)
    throw new ImageRefusedError(image, "it declares VOLUME, a writable place without a bound");
  if (onBuild != null && onBuild.length > 0) throw new ImageRefusedError(image, "it declares ONBUILD");
  if (found.Os !== "linux") throw new ImageRefusedError(image, `it is made for ${found.Os}`);
  return { id: found.Id, env: env ?? [], reference: `${image}@${found.Id}` };
}

async function inspect(docker: Docker, image: string): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(image).inspect();
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    if (statusOf(error) === 400) throw new ImageRefusedError(image, "it is not an image name");
    throw error;
  }
}

/** The newest named image on this machine whose label names the language. */
async function findPrepared(docker: Docker, language: string | undefined): Promise<string | undefined> {
  if (language === undefined) return undefined;
  const images = await docker.listImages({ filters: { label: [LANGUAGES_LABEL] } });
  const named = images.filter(({ Labels: labels, RepoTags: tags }) => {
    const languages = labels?.[LANGUAGES_LABEL]?.split(",") ?? [];
    return languages.includes(language) && tags?.some((tag) => tag !== "<none>:<none>");
  });
  return named.toSorted((a, b) => b.Created - a.Created)[0]?.RepoTags?.[0];
}

async function pull(
  docker: Docker,
  image: string,
  { pull: policy, signal }: ImageSearch,
): Promise<Docker.ImageInspectInfo> {
  if (policy === "never") throw new ImageUnavailableError(image, "not on this machine, and pulling is off");
  try {
    const progress: NodeJS.ReadableStream = await docker.pull(
      tagged(image),
      signal && { abortSignal: signal },
    );
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (error: Error | null) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw new ImageUnavailableError(image, reasonOf(error), error);
  }
  const found = await inspect(docker, image);
  if (found === undefined) throw new ImageUnavailableError(image, "the engine pulled it and lost it");
  return found;
}

/** Without a tag some engines bring every tag that there is. */
function tagged(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  return /[:@]/.test(last) ? image : `${image}:latest`;
}
