import assert from "node:assert/strict";
import { test } from "node:test";
import { FARTHEST, inserted, nudged, snapped, stateAt, way } from "../flow-geometry.js";

const box = (state, x, y) => ({ state, x, y, width: 180, height: 56 });
const numbers = (path) => path.match(/-?\d+(\.\d+)?/g).map(Number);

test("a box stays on the grid and in the picture", () => {
  assert.deepEqual(snapped(13, 21), [16, 24]);
  assert.deepEqual(snapped(-40, 99999), [0, FARTHEST]);
});

test("the arrow keys move a box, other keys do not", () => {
  assert.deepEqual(nudged(box("a", 32, 32), "ArrowLeft"), [16, 32]);
  assert.deepEqual(nudged(box("a", 0, 32), "ArrowLeft"), [0, 32]);
  assert.equal(nudged(box("a", 0, 0), "Enter"), null);
});

test("a point lies in the box on top, or in none", () => {
  const boxes = [box("a", 0, 0), box("b", 100, 0)];
  assert.equal(stateAt(boxes, 10, 10), "a");
  assert.equal(stateAt(boxes, 150, 10), "b");
  assert.equal(stateAt(boxes, 10, 90), null);
});

test("a way joins the sides that face each other", () => {
  const below = numbers(way(box("a", 0, 0), box("b", 40, 200)));
  assert.deepEqual([below.slice(0, 2), below.slice(-2)], [[90, 56], [130, 200]]);
  const above = numbers(way(box("b", 40, 200), box("a", 0, 0)));
  assert.deepEqual([above.slice(0, 2), above.slice(-2)], [[130, 200], [90, 56]]);
  const beside = numbers(way(box("a", 0, 0), box("b", 300, 10)));
  assert.deepEqual([beside.slice(0, 2), beside.slice(-2)], [[180, 28], [300, 38]]);
  const itself = numbers(way(box("a", 0, 0), box("a", 0, 0)));
  assert.deepEqual([itself[0], itself.at(-2)], [180, 180]);
});

test("a fact's name is put at the caret, apart from its neighbours", () => {
  assert.deepEqual(inserted("", 0, "crf.A49"), { text: "crf.A49", caret: 7 });
  assert.deepEqual(inserted("not (x)", 3, "a.b"), { text: "not a.b (x)", caret: 7 });
  assert.deepEqual(inserted("not ()", 5, "a.b"), { text: "not (a.b)", caret: 8 });
});
