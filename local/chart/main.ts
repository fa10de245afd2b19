// `npm run chart:test`: everything that can be known of the Helm chart without a cluster. `-- --write` writes what is made from
// other files: values.schema.json, the table of README.md, the copy of the alerts, the snapshot of the defaults. With `--strict`
// a check that cannot run on this machine is a failure: CI has what all of them need.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parse } from "yaml";
import { FOLDERS } from "../folders.ts";
import { CHART } from "./chart-folder.ts";
import { inconsistencies } from "./consistency.ts";
import { differenceOf, filesOfValues, generatedFiles, writeGenerated } from "./generated-files.ts";
import { helmProgram } from "./go-tools.ts";
import { keptReplicas, keptSecrets } from "./kept-by-upgrades.ts";
import { type Manifest, NAMESPACE, RELEASE, render } from "./manifests.ts";
import { RENDERED_RULES, type RenderSet } from "./rendered-rules.ts";
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
  if (process.argv.includes("--write")) {
    const wrote = [...writeGenerated(filesOfValues()), ...writeGenerated(await generatedFiles(helm))];
    for (const path of wrote) console.log(`wrote ${relative(FOLDERS.root, path)}`);
  }

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

  await check("what was made is found again by an upgrade, and not made anew unasked where it is lost", () =>
    keptSecrets(helm, file("existing-secrets.yaml")),
  );
  await check("an upgrade leaves the number of pods to what scales them", () =>
    keptReplicas(helm, file("tls-in-gateway.yaml")),
  );

  const known = new Map<string, Promise<Manifest[]>>();
  const renderOnce: RenderSet = (set, settings = []) => {
    const key = [set, ...settings].join(" ");
    const manifests = known.get(key) ?? render(helm, [file(set)], settings).then((all) => all.manifests);
    known.set(key, manifests);
    return manifests;
  };
  for (const { name, holds } of RENDERED_RULES) await check(name, () => holds(renderOnce));

  await check("NOTES.txt leads to the listener that there is", async () => {
    const inside = ["--set-json", 'gateway.service.type="ClusterIP"'];
    const said = await notes(helm, file("tls-in-gateway.yaml"), inside);
    if (!said.includes("dynamo-csms-gateway 9443:9443") || said.includes("9000:9000")) throw new Error(said);
  });

  await runRendered(helm, report);
}
process.exit(report.finish({ strict: process.argv.includes("--strict") }));

/** What a person reads after the installation. */
async function notes(program: string, values: string, settings: string[] = []): Promise<string> {
  const args = [
    "install",
    RELEASE,
    CHART,
    "--namespace",
    NAMESPACE,
    "--dry-run=client",
    "--values",
    values,
    ...settings,
  ];
  const env = { ...process.env, KUBECONFIG: "/dev/null" };
  const { stdout } = await promisify(execFile)(program, args, { env, maxBuffer: 64 << 20 });
  return stdout.slice(stdout.indexOf("\nNOTES:"));
}
