/** The official "everything" server as upstream: sessions, revision 2025-11-25. */
import { startEverything, type LocalServer } from "../../../scripts/lib/upstreams.ts";

export { startEverything, type LocalServer };
