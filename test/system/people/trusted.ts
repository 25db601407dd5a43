/**
 * The certificate of the https servers of these tests, trusted by the runtime. Imported before anything that imports Miniflare, which reads
 * the variable and its file once, as it is imported.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../support/certificate.ts";

const variable = "NODE_EXTRA_CA_CERTS";

export const trusted = makeCertificate();

const directory = mkdtempSync(join(tmpdir(), "gatehouse-authority-"));
const file = join(directory, "authority.pem");
writeFileSync(file, trusted.certificate);
process.env[variable] = file;

/** Once Miniflare has been imported: programs that are started later would look for the file. */
export function forgetAuthority(): void {
  delete process.env[variable];
  rmSync(directory, { recursive: true, force: true });
}
