/** Global set-up of the system tests: the Worker is bundled once, every test then starts from the same bundle. */
import { bundleWorker } from "../../scripts/lib/bundle.ts";

export default async function setup(): Promise<void> {
  await bundleWorker();
}
