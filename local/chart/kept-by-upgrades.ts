import { isDeepStrictEqual } from "node:util";
import { find, type Manifest, RELEASE, render } from "./manifests.ts";
import { pretendApi } from "./pretend-api.ts";
import { madeSecrets, type Secrets } from "./pretend-cluster.ts";

const STATION_KEYS = "dynamo-csms-station-keys";

/** As an upgrade finds them: all of them; then some lost, which is refused unless it is said to make them anew. */
export async function keptSecrets(helm: string, values: string): Promise<void> {
  const { manifests } = await render(helm, [values]);
  const made = madeSecrets(manifests);
  const names = Object.keys(made);
  if (names.length !== 4) throw new Error(`want four Secrets, and there are ${names.join(", ")}`);
  const upgrade = async (found: Secrets, ...settings: string[]): Promise<Secrets> => {
    const api = await pretendApi(manifests, found);
    try {
      const release = { cluster: api.url, upgrade: true };
      return madeSecrets((await render(helm, [values], settings, release)).manifests);
    } finally {
      api.close();
    }
  };
  if (!isDeepStrictEqual(await upgrade(made), made)) throw new Error("an upgrade makes keys anew that are there");

  const { STATION_PEPPERS, SECRETS_KEY } = made[STATION_KEYS] as Record<string, string>;
  const { [STATION_KEYS]: _, ...withoutKeys } = made;
  await refused(upgrade(withoutKeys), /dynamo-csms-station-keys has no SECRETS_KEY[^]*has no STATION_PEPPERS/);
  await refused(upgrade({}), /dynamo-csms-jwt has no JWT_SIGNING_KEY[^]*dynamo-csms-pdf has no PDF_SIGNING_KEY/);
  const partly = { ...made, [STATION_KEYS]: { STATION_PEPPERS: STATION_PEPPERS as string } };
  await refused(upgrade(partly), /has no SECRETS_KEY/);

  const anew = (await upgrade(partly, "secrets.replaceLost=true"))[STATION_KEYS];
  if (anew?.["STATION_PEPPERS"] !== STATION_PEPPERS) throw new Error("a key that is there was made anew");
  if (!anew?.["SECRETS_KEY"] || anew["SECRETS_KEY"] === SECRETS_KEY)
    throw new Error("a key that was lost was not made");
}

async function refused(rendering: Promise<unknown>, says: RegExp): Promise<void> {
  const outcome = await rendering.then(
    () => "nothing: it was rendered",
    (refusal: Error) => refusal.message,
  );
  if (!says.test(outcome)) throw new Error(`want ${says}, and the chart said: ${outcome.slice(0, 600)}`);
}

/** An upgrade leaves the number of pods to what scales them. */
export async function keptReplicas(helm: string, values: string): Promise<void> {
  const { manifests } = await render(helm, [values]);
  const name = `${RELEASE}-gateway`;
  const replicas = (objects: Manifest[]) => {
    const { spec } = find(objects, "Deployment", name);
    return (spec as { replicas?: number }).replicas;
  };
  if (replicas(manifests) !== undefined) throw new Error("the first installation sets a number");
  const api = await pretendApi(manifests, madeSecrets(manifests), { [name]: 17 });
  try {
    const found = replicas((await render(helm, [values], [], { cluster: api.url, upgrade: true })).manifests);
    if (found !== 17) throw new Error(`there are 17 pods, and the upgrade wants ${found}`);
  } finally {
    api.close();
  }
}
