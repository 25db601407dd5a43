import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const key = "test:" + Buffer.alloc(32, 7).toString("base64url");

export default defineConfig({
  test: {
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
        },
      },
    ],
  },
});
