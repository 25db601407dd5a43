/** Two timers may walk at the same time: a rotation moves only from where the step that moves it began. */
import { beforeEach, describe, expect, it } from "vitest";
import { beginRotation, moveRotation, readRotation, type Rotation } from "../../../src/vault/rotation.ts";
import { database, newTenant } from "./rotation-support.ts";
import { randomKey, start, vaultOf } from "./support.ts";

const vault = await vaultOf(`k2:${randomKey()} k1:${randomKey()}`);
const counts = { seen_count: 7, rewrapped_count: 7, failed_count: 0, finished_at: null, updated_at: start + 1 };

let tenant: string;
let begun: Rotation;

beforeEach(async () => {
  tenant = newTenant();
  const rotation = await beginRotation(database, vault, tenant, start);
  if (rotation === undefined) throw new Error("no rotation");
  begun = rotation;
});

describe("VT-05: a step", () => {
  it("VT-05: moves the rotation from where it began", async () => {
    const moved = { ...begun, ...counts, stage: 1, after: '["a"]' };
    expect(await moveRotation(database, begun, { ...counts, stage: 1, after: '["a"]' })).toEqual([moved]);
    expect(await readRotation(database, tenant)).toEqual(moved);
  });

  it.each([
    ["another stage", { stage: 1 }],
    ["another record", { after: '["z"]' }],
    ["another key", { kid: "k1" }],
    ["another tenant", { tenant_id: "somebody-else" }],
  ])("VT-05: that began at %s moves nothing, and counts nothing twice", async (_title, elsewhere) => {
    const from = { ...begun, ...elsewhere };
    expect(await moveRotation(database, from, { ...counts, stage: 2, after: "" })).toEqual([]);
    expect(await readRotation(database, tenant)).toEqual(begun);
  });
});
