import assert from "node:assert/strict";
import { test } from "node:test";
import {
  activityAt,
  formatDuration,
  formatNumber,
  matching,
  nextDay,
  readMessage,
  reconnectDelay,
  wordAt,
} from "../rules.js";

const F18_S = 6586.2;
const AT = Date.UTC(2026, 10, 21, 8, 15);

test("activity halves in a half-life", () => {
  assert.equal(activityAt(8000, AT, F18_S, AT), 8000);
  assert.ok(Math.abs(activityAt(8000, AT, F18_S, AT + F18_S * 1000) - 4000) < 1e-9);
  assert.ok(Math.abs(activityAt(8000, AT, F18_S, AT - F18_S * 1000) - 16000) < 1e-9);
});

test("numbers are written as the language writes them", () => {
  assert.equal(formatNumber(10250.25, "da", 1), "10\u202f250,3");
  assert.equal(formatNumber(9870.4, "en", 0), "9\u202f870");
});

test("a duration shows its two largest units, rounded down", () => {
  assert.equal(formatDuration(134 * 60000 + 59000, "en"), "2 hr 14 min");
  assert.equal(formatDuration((2 * 1440 + 65) * 60000, "en"), "2 days 1 hr");
  assert.equal(formatDuration(59000, "en"), "0 min");
});

test("attempts to connect are spread and never more than 30 s apart", () => {
  assert.equal(reconnectDelay(0, 0), 500);
  assert.equal(reconnectDelay(0, 0.999), 1000);
  assert.equal(reconnectDelay(3, 0), 4000);
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    const delay = reconnectDelay(attempt, 0.999);
    assert.ok(delay > 0 && delay <= 30000);
  }
});

test("what is not of the protocol is no message", () => {
  for (const text of ["", "null", "3", "[]", "{", '{"type":"change"}', '{"type":"eval","topic":"x"}']) {
    assert.equal(readMessage(text), null, text);
  }
  assert.equal(readMessage('{"type":"change","topic":"board","what":"order"}').topic, "board");
  assert.equal(readMessage('{"type":"welcome","release":"1"}').release, "1");
});

test("in a calendar the arrows go a day or a week, and never before its first day", () => {
  assert.equal(nextDay(8, "ArrowLeft"), 7);
  assert.equal(nextDay(8, "ArrowRight"), 9);
  assert.equal(nextDay(8, "ArrowUp"), 1);
  assert.equal(nextDay(8, "ArrowDown"), 15);
  assert.equal(nextDay(3, "ArrowUp"), -1);
  assert.equal(nextDay(0, "ArrowLeft"), -1);
  assert.equal(nextDay(10, "Home"), 7);
  assert.equal(nextDay(10, "End"), 13);
  assert.equal(nextDay(10, "a"), -1);
  assert.equal(nextDay(-1, "ArrowRight"), -1);
});

test("the name that is typed in a rule is found, and none inside quotes", () => {
  assert.deepEqual(wordAt("A18 < 3 and pre", 15), { word: "pre", start: 12 });
  assert.deepEqual(wordAt("sum(rows.x", 10), { word: "rows.x", start: 4 });
  assert.deepEqual(wordAt('A == "pre', 9), { word: "", start: 9 });
  assert.deepEqual(wordAt('A == "x" and B', 14), { word: "B", start: 13 });
  assert.deepEqual(wordAt("A < ", 4), { word: "", start: 4 });
});

test("names that begin with what was typed come first, and the whole name is offered no more", () => {
  const names = ["A18", "precrf.A18", "B", "a181"];
  assert.deepEqual(matching(names, "a18", 5), [0, 3, 1]);
  assert.deepEqual(matching(names, "A18", 5), [3, 1]);
  assert.deepEqual(matching(names, "a", 1), [0]);
  assert.deepEqual(matching(names, "zz", 5), []);
});
