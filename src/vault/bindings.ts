/** Where each kind of sealed text stands. One line for each, so that the writer and the reader cannot differ. */
import type { Binding } from "./sealed-record.ts";

/** The secrets of an upstream server: column `credential` of its row in `servers`. */
export const serverCredentialBinding = (tenant: string, server_id: string, revision: number): Binding => ({
  purpose: "server-credential",
  tenant,
  record: server_id,
  field: "credential",
  revision,
});
