import assert from "node:assert/strict";
import { test } from "node:test";
import { sameView, scaleBar, throttled } from "../slide_rules.js";

test("the scale bar is a round length that fits", () => {
  assert.deepEqual(scaleBar(0.25, 160), { microns: 20, px: 80, label: "20 µm" });
  assert.deepEqual(scaleBar(10, 160), { microns: 1000, px: 100, label: "1 mm" });
  assert.equal(scaleBar(1.25, 160).microns, 200);
  assert.equal(scaleBar(0.001, 160).label, "0.1 µm");
});

test("no scale bar without a size of a pixel", () => {
  for (const size of [0, -1, NaN, Infinity, undefined]) assert.equal(scaleBar(size), null);
});

test("what is sent is at most one in the interval, the last included", () => {
  const sent = [];
  let clock = 0;
  const pending = [];
  const give = throttled((value) => sent.push(value), 250, {
    now: () => clock,
    later: (fire, wait) => pending.push({ fire, at: clock + wait }),
  });
  give("a");
  clock = 50;
  give("b");
  clock = 100;
  give("c");
  assert.deepEqual(sent, ["a"]);
  assert.equal(pending.length, 1);
  clock = pending[0].at;
  pending[0].fire();
  assert.deepEqual(sent, ["a", "c"]);
  assert.equal(clock, 250);
  clock = 600;
  give("d");
  assert.deepEqual(sent, ["a", "c", "d"]);
});

test("the same view is told from another", () => {
  const view = { x: 0.5, y: 0.4, zoom: 3, rotation: 0 };
  assert.ok(sameView(view, { ...view }));
  assert.ok(!sameView(view, { ...view, zoom: 3.1 }));
  assert.ok(!sameView(null, view));
});
