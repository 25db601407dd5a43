import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const key = "test:" + Buffer.alloc(32, 7).toString("base64url");

export default defineConfig({
  test: {
    // Of tests that pass, what the Worker logs says nothing.
    silent: "passed-only",
    projects: [
      {
        // The rooms, in workerd, with real D1, KV, Durable Objects and Queues.
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                MIGRATIONS: await readD1Migrations("./migrations"),
                GATEHOUSE_TENANTS: "a=a.gw.test b=b.gw.test default=localhost",
                GATEHOUSE_KEYS: key,
                GATEHOUSE_SETUP_SECRET: "set-up-secret-of-the-tests-0123456789",
              },
            },
          })),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          setupFiles: ["test/worker/setup.ts"],
          // Several files in one workerd, as many at once as there are cores: starting it costs more than most files.
          isolate: false,
          maxWorkers: "100%",
          // Ends what hangs; a busy machine fails no test.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The built Worker over real sockets, with real peers.
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          globalSetup: ["test/system/build.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          // After the rooms: it waits for real programs, which need the machine.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
