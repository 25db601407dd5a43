import { startRuntime } from "/work/main/scripts/lib/runtime.ts";
import { writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
const secret = randomBytes(32).toString("base64url");
writeFileSync("/tmp/docs-run/secret", secret);
const rt = await startRuntime({ port: 18970, persist: "/tmp/docs-run/state", vars: { GATEHOUSE_MODE: "enterprise", GATEHOUSE_TENANTS: "default=localhost acme=acme.localhost", GATEHOUSE_SETUP_SECRET: secret, GATEHOUSE_EGRESS_ORIGINS: "http://127.0.0.1:18960 http://127.0.0.1:18961", GATEHOUSE_KEYS: "k1:" + randomBytes(32).toString("base64url") } });
console.log("url", rt.url.href);
process.on("SIGTERM", async () => { await rt.dispose(); process.exit(0); });
