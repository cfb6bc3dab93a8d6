import assert from "node:assert/strict";
import { test } from "node:test";
import { forgetAll, sheetQueue } from "../sheet_queue.js";

class Memory {
  constructor() {
    this.map = new Map();
  }
  get length() {
    return this.map.size;
  }
  key(index) {
    return [...this.map.keys()][index] ?? null;
  }
  getItem(key) {
    return this.map.get(key) ?? null;
  }
  setItem(key, text) {
    this.map.set(key, text);
  }
  removeItem(key) {
    this.map.delete(key);
  }
}

/** A server that keeps what it is sent; `away` refuses connections, `deaf` keeps and never answers. */
function world({ storage = new Memory(), sequence = 0 } = {}) {
  const found = { storage, kept: {}, sequence, sent: [], states: [], waiting: [], away: false, deaf: false, clock: 1000 };
  found.open = (more = {}) =>
    sheetQueue({
      storage,
      key: "sheet:1:form:7",
      opened: 3,
      sequence: 0,
      now: () => (found.clock += 1),
      random: () => 0.5,
      later: (act) => found.waiting.push(act),
      show: () => {},
      report: (state, detail) => found.states.push([state, detail]),
      send: async (fields, number, opened, whole) => {
        found.sent.push({ fields, number, opened, whole });
        if (found.away) throw new Error("no connection");
        if (found.refused) return { refused: found.refused };
        if (number > found.sequence) {
          Object.assign(found.kept, fields);
          found.sequence = number;
        }
        if (found.deaf) throw new Error("no answer");
        return { sequence: found.sequence };
      },
      ...more,
    });
  found.retry = async () => {
    for (const act of found.waiting.splice(0)) await act();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return found;
}

test("what is typed is sent at once, numbered, and said to be kept when the server said so", async () => {
  const server = world();
  const queue = server.open();
  const done = queue.push({ A18: "7,2" });
  assert.deepEqual(server.states, [["sending", 1]]);
  await done;
  assert.deepEqual(server.kept, { A18: "7,2" });
  assert.deepEqual(server.states.at(-1), ["kept", 0]);
  assert.equal(server.storage.length, 0);
});

test("without a connection changes wait, are counted, and go in order when it is back", async () => {
  const server = world();
  server.away = true;
  const queue = server.open();
  await queue.push({ A18: "7" });
  await queue.push({ A18: "7,2" });
  await queue.push({ A19: "4" });
  assert.deepEqual(server.states.at(-1), ["unsent", 3]);
  assert.ok(!server.states.some(([state]) => state === "kept"));
  assert.deepEqual(server.kept, {});

  server.away = false;
  await server.retry();
  assert.deepEqual(server.kept, { A18: "7,2", A19: "4" });
  assert.deepEqual(server.states.at(-1), ["kept", 0]);
  assert.equal(queue.unsent, 0);
});

test("what could not be sent is there after a reload, and is sent again by the same numbers", async () => {
  const server = world();
  server.away = true;
  await server.open().push({ A18: "7,2" });
  const [{ number }] = server.sent;

  server.away = false;
  const again = server.open();
  assert.deepEqual(again.restore(), { A18: "7,2" });
  await again.retry();
  assert.equal(server.sent.at(-1).number, number);
  assert.equal(server.sent.at(-1).whole, true);
  assert.deepEqual(server.kept, { A18: "7,2" });
  assert.equal(server.storage.length, 0);
});

test("when an answer was lost the change is not done twice, and the whole state is asked for", async () => {
  const server = world();
  server.deaf = true;
  const queue = server.open();
  await queue.push({ A18: "7" });
  assert.deepEqual(server.states.at(-1), ["unsent", 1]);
  server.deaf = false;
  await server.retry();
  assert.equal(server.sent.at(-1).whole, true);
  assert.equal(server.sent[0].number, server.sent[1].number);
  await queue.push({ A19: "1" });
  assert.equal(server.sent.at(-1).whole, false);
});

test("a change typed while another is on its way follows it", async () => {
  const server = world();
  const queue = server.open();
  const first = queue.push({ A18: "7" });
  queue.push({ A18: "8" });
  await first;
  assert.deepEqual(server.kept, { A18: "8" });
  assert.ok(server.sent[0].number < server.sent[1].number);
});

test("where another page of the person was faster, this one's change comes after it", async () => {
  const server = world({ sequence: 9_000_000 });
  const queue = server.open();
  await queue.push({ A18: "7" });
  assert.ok(server.sent.at(-1).number > 9_000_000);
  assert.deepEqual(server.kept, { A18: "7" });
});

test("a refusal ends the sending and says why; what was typed stays in the tab", async () => {
  const server = world();
  server.refused = "The form is signed.";
  const queue = server.open();
  await queue.push({ A18: "7" });
  await queue.push({ A19: "7" });
  assert.deepEqual(server.states.at(-1), ["refused", "The form is signed."]);
  assert.equal(server.sent.length, 1);
  assert.equal(server.storage.length, 1);
});

test("changes of an older page keep the version that they were typed on", async () => {
  const server = world();
  server.away = true;
  await server.open().push({ A18: "7" });
  server.waiting.length = 0; // that page is gone
  const again = server.open({ opened: 5 });
  again.restore();
  await again.push({ A19: "8" });
  server.away = false;
  server.sent.length = 0;
  await server.retry();
  await again.retry();
  assert.deepEqual(server.sent.map(({ fields, opened }) => [fields, opened]), [
    [{ A18: "7" }, 3],
    [{ A19: "8" }, 5],
  ]);
});

test("what is left when the page goes is handed out to be sent", async () => {
  const server = world();
  server.away = true;
  const queue = server.open();
  assert.equal(queue.pending(), null);
  await queue.push({ A18: "7" });
  const rest = queue.pending();
  assert.deepEqual(rest.fields, { A18: "7" });
  assert.equal(rest.opened, 3);
});

test("nothing is sent after the form itself", async () => {
  const server = world();
  const queue = server.open();
  await queue.close();
  await queue.push({ A18: "7" });
  assert.deepEqual(server.sent, []);
  queue.reopen();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(server.kept, { A18: "7" });
});

test("who signs out leaves nothing behind, and only that", () => {
  const storage = new Memory();
  storage.setItem("sheet:1:form:7", "[]");
  storage.setItem("sheet:1:form:8", "[]");
  storage.setItem("other", "x");
  forgetAll(storage);
  assert.equal(storage.length, 1);
  assert.equal(storage.getItem("other"), "x");
});

test("what stands in the tab and is no queue is left alone", () => {
  const server = world();
  server.storage.setItem("sheet:1:form:7", "{nonsense");
  assert.deepEqual(server.open().restore(), {});
});
