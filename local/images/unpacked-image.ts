import { buildah, type ImageName, imageTag } from "./engine.ts";

/** An image as a runtime wants it: a folder with its files, and how it is to be started. */
export interface UnpackedImage {
  rootFolder: string;
  config: {
    user: { uid: number; gid: number };
    entrypoint: string[];
    env: Record<string, string>;
    workingFolder: string;
    labels: Record<string, string>;
  };
  /** Gives the folder back. */
  remove(): Promise<void>;
}

interface Inspected {
  OCIv1: {
    config: {
      User?: string;
      Entrypoint?: string[];
      Env?: string[];
      WorkingDir?: string;
      Labels?: Record<string, string>;
    };
  };
}

/** Rejects when the image was not built. */
export async function unpackImage(name: ImageName, version: string): Promise<UnpackedImage> {
  const image = `localhost/${imageTag(name, version)}`;
  const { config } = (JSON.parse(await buildah("inspect", "--type", "image", image)) as Inspected).OCIv1;
  const container = await buildah("from", image);
  const [uid = 0, gid = 0] = (config.User ?? "0:0").split(":").map(Number);
  return {
    rootFolder: await buildah("mount", container),
    config: {
      user: { uid, gid },
      entrypoint: config.Entrypoint ?? [],
      env: Object.fromEntries((config.Env ?? []).map((text) => text.split(/=(.*)/s, 2) as [string, string])),
      workingFolder: config.WorkingDir ?? "/",
      labels: config.Labels ?? {},
    },
    remove: async () => void (await buildah("rm", container)),
  };
}
