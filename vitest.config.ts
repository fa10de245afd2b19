import { defineConfig } from "vitest/config";

// Workspaces are imported as TypeScript sources, as `node --conditions=source` does.
const sources = {
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"], externalConditions: ["source"] } },
};
const packages = "{proto,ocpp-schemas,gateway,control-plane,local,loadtest}";
const never = ["**/node_modules/**", "**/dist/**"];

export default defineConfig({
  test: {
    pool: "forks", // tests start and signal processes, which worker threads cannot
    maxWorkers: 2,
    projects: [
      {
        ...sources,
        test: {
          name: "unit", // decisions, beside their files: no services, seconds
          sequence: { groupOrder: 0 },
          isolate: false, // nothing in them outlives its file
          include: [`${packages}/**/*.test.ts`],
          exclude: [...never, `${packages}/test/**`, `${packages}/e2e/**`],
        },
      },
      {
        ...sources,
        test: {
          name: "integration", // real Redis, real Postgres, real sockets
          sequence: { groupOrder: 1 },
          include: [`${packages}/test/**/*.test.ts`],
          exclude: never,
          globalSetup: ["local/vitest-global-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...sources,
        test: {
          name: "e2e", // the whole stack in processes of its own, one file after the other
          sequence: { groupOrder: 2 },
          include: [`${packages}/e2e/**/*.test.ts`],
          exclude: never,
          globalSetup: ["local/vitest-global-setup.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
