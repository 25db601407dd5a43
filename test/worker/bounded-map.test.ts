import { describe, expect, it } from "vitest";
import { BoundedMap } from "../../src/bounded-map.ts";

describe("the only kind of cache", () => {
  it("RX-17: never holds more than its bound, whatever the keys", () => {
    const map = new BoundedMap<number>(100);
    for (let key = 0; key < 10_000; key++) map.set(`key ${key}`, key);
    const kept = Array.from({ length: 10_000 }, (_, key) => map.get(`key ${key}`)).filter(
      (value) => value !== undefined,
    );
    expect(kept).toEqual(Array.from({ length: 100 }, (_, at) => 9_900 + at));
  });

  it("RX-17: an entry that is set again is no second one", () => {
    const map = new BoundedMap<number>(2);
    for (let turn = 0; turn < 5; turn++) map.set("a", turn);
    map.set("b", 1);
    expect([map.get("a"), map.get("b")]).toEqual([4, 1]);
  });
});
