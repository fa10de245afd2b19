// `npm run chart:test`: everything that can be known of the Helm chart without a cluster. `-- --write` writes what is made from
// other files: values.schema.json, the table of README.md, the copy of the alerts, the snapshot of the defaults.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { execFile } from "node:child_process";
import { isDeepStrictEqual, promisify } from "node:util";
import { parse } from "yaml";
import { FOLDERS } from "../folders.ts";
import { CHART } from "./chart-folder.ts";
import { inconsistencies } from "./consistency.ts";
import { differenceOf, generatedFiles, writeGenerated } from "./generated-files.ts";
import { helmProgram } from "./go-tools.ts";
import { find, type Manifest, NAMESPACE, RELEASE, render } from "./manifests.ts";
import { pretendApi } from "./pretend-api.ts";
import { madeSecrets, type Secrets } from "./pretend-cluster.ts";
import { REFUSALS } from "./refusals.ts";
import { createReport } from "./report.ts";
import { runRendered } from "./run-rendered.ts";
import { KUBERNETES, openValidator } from "./schemas.ts";

const report = createReport();
const { check } = report;
const sets = readdirSync(join(CHART, "ci")).filter((name) => name.endsWith(".yaml"));
const file = (set: string) => join(CHART, "ci", set);
const none = (mistakes: string[]) => {
  if (mistakes.length > 0) throw new Error(mistakes.slice(0, 10).join("\n"));
};

const helm = await report.need("Helm", () => helmProgram(console.log));
if (helm !== undefined) {
  if (process.argv.includes("--write"))
    for (const path of writeGenerated(await generatedFiles(helm))) console.log(`wrote ${relative(FOLDERS.root, path)}`);

  const rendered = new Map<string, Manifest[]>();
  for (const set of sets) {
    await check(`helm lint --strict, ${set}`, async () => {
      await promisify(execFile)(helm, ["lint", "--strict", CHART, "--values", file(set)]).catch(
        (cause: { stdout?: string; stderr?: string }) => {
          throw new Error(`${cause.stdout}${cause.stderr}`, { cause });
        },
      );
    });
    await check(`helm template, ${set}`, async () => {
      rendered.set(set, (await render(helm, [file(set)])).manifests);
    });
    await check(`NOTES.txt, ${set}`, async () => {
      const said = await notes(helm, file(set));
      if (!said.includes("helm -n charging test") || said.includes("<no value>")) throw new Error(said);
    });
    await check(`objects fit together, ${set}`, () =>
      none(inconsistencies(rendered.get(set) ?? [], { policies: set !== "gateway-api-keda.yaml" })),
    );
  }

  for (const version of KUBERNETES) {
    const validate = await report.need(`schemas of Kubernetes ${version}`, () => openValidator(version));
    if (validate === undefined) continue;
    for (const [set, manifests] of rendered)
      await check(`${manifests.length} objects are of Kubernetes ${version}, ${set}`, () =>
        none(manifests.flatMap(validate)),
      );
    await check(`what is no object of Kubernetes ${version} is noticed`, () => {
      const deployment = (spec: object): Manifest => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "x" },
        spec: { selector: {}, template: { spec: { containers: [{ name: "x", ...spec }] } } },
      });
      none(validate(deployment({})));
      for (const wrong of [{ resoruces: {} }, { args: "x" }, { ports: [{ containerPort: "9000" }] }])
        if (validate(deployment(wrong)).length === 0) throw new Error(`not noticed: ${JSON.stringify(wrong)}`);
    });
  }

  for (const generated of await generatedFiles(helm))
    await check(`${relative(FOLDERS.root, generated.path)} is as it is generated`, () => {
      const difference = differenceOf(generated);
      if (difference !== undefined) throw new Error(`${difference}\nnpm run chart:test -- --write writes it anew`);
    });

  await check("the chart and the images are of this release", () => {
    const { version } = JSON.parse(readFileSync(join(FOLDERS.root, "package.json"), "utf8")) as { version: string };
    const chart = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8")) as { version: string; appVersion: string };
    const dockerfiles = ["gateway", "control-plane"].map(
      (folder) => /ARG VERSION=(.*)/.exec(readFileSync(join(FOLDERS.root, folder, "Dockerfile"), "utf8"))?.[1],
    );
    for (const found of [chart.version, chart.appVersion, ...dockerfiles])
      if (found !== version) throw new Error(`package.json has ${version}, and one of them has ${found}`);
  });

  await check("each dashboard is a ConfigMap", () => {
    const folder = join(CHART, "dashboards");
    const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
    const maps = (rendered.get("production.yaml") ?? []).filter(({ kind }) => kind === "ConfigMap");
    const held = new Map(maps.flatMap(({ data = {} }) => Object.entries(data)));
    none(files.filter((name) => held.get(name) !== readFileSync(join(folder, name), "utf8")));
  });

  for (const { settings, says } of REFUSALS)
    await check(`refused: ${settings.join(" ")}`, async () => {
      const outcome = await render(helm, [file("existing-secrets.yaml")], settings).then(
        () => "nothing: it was rendered",
        (refusal: Error) => refusal.message,
      );
      if (!says.test(outcome)) throw new Error(`want ${says}, and the chart said: ${outcome.slice(0, 600)}`);
    });

  await check("what was made is found again, and made anew key by key where it is lost", () => keptSecrets(helm));

  await check("an upgrade leaves the number of pods to what scales them", () => keptReplicas(helm));

  await runRendered(helm, report);
}
process.exit(report.finish());

/** What a person reads after the installation. */
async function notes(program: string, values: string): Promise<string> {
  const args = ["install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client", "--values", values];
  const env = { ...process.env, KUBECONFIG: "/dev/null" };
  const { stdout } = await promisify(execFile)(program, args, { env, maxBuffer: 64 << 20 });
  return stdout.slice(stdout.indexOf("\nNOTES:"));
}

/** As an upgrade finds them: all of them; then all but one key. */
async function keptSecrets(program: string): Promise<void> {
  const set = [file("existing-secrets.yaml")];
  const { manifests } = await render(program, set);
  const made = madeSecrets(manifests);
  const names = Object.keys(made);
  if (names.length !== 4) throw new Error(`want four Secrets, and there are ${names.join(", ")}`);
  const again = async (found: Secrets): Promise<Secrets> => {
    const api = await pretendApi(manifests, found);
    try {
      return madeSecrets((await render(program, set, [], api.url)).manifests);
    } finally {
      api.close();
    }
  };
  if (!isDeepStrictEqual(await again(made), made)) throw new Error("an upgrade makes keys anew that are there");
  const stationKeys = "dynamo-csms-station-keys";
  const { STATION_PEPPERS, SECRETS_KEY } = made[stationKeys] as Record<string, string>;
  const lost = (await again({ ...made, [stationKeys]: { STATION_PEPPERS: STATION_PEPPERS as string } }))[stationKeys];
  if (lost?.["STATION_PEPPERS"] !== STATION_PEPPERS) throw new Error("a key that is there was made anew");
  if (!lost?.["SECRETS_KEY"] || lost["SECRETS_KEY"] === SECRETS_KEY)
    throw new Error("a key that was lost was not made");
}

async function keptReplicas(program: string): Promise<void> {
  const set = [file("tls-in-gateway.yaml")];
  const { manifests } = await render(program, set);
  const name = `${RELEASE}-gateway`;
  const replicas = (objects: Manifest[]) => {
    const { spec } = find(objects, "Deployment", name);
    return (spec as { replicas?: number }).replicas;
  };
  if (replicas(manifests) !== undefined) throw new Error("the first installation sets a number");
  const api = await pretendApi(manifests, {}, { [name]: 17 });
  try {
    const found = replicas((await render(program, set, [], api.url)).manifests);
    if (found !== 17) throw new Error(`there are 17 pods, and the upgrade wants ${found}`);
  } finally {
    api.close();
  }
}
