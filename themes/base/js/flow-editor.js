// The flow editor's drawing: boxes that are dragged, transitions that are drawn, and one change
// after the other. Whatever the drawing does, the tables do too, without any of this.
import htmx from "htmx.org";
import { inserted, nudged, snapped, stateAt, way } from "./flow-geometry.js";

const SETTLED_MS = 500;
const editor = () => document.getElementById("flow-editor");

function boxOf(link) {
  const { state, x, y, width, height } = link.dataset;
  return { state, x: Number(x), y: Number(y), width: Number(width), height: Number(height) };
}

const boxes = (svg) => [...svg.querySelectorAll("[data-state]")].map(boxOf);

// where the pointer is, in units of the picture
function pointIn(svg, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [point.x, point.y];
}

function send(values) {
  if (busy) {
    waiting.push(() => send(values));
    return;
  }
  const sent = Object.fromEntries(new FormData(document.getElementById("flow-acts")));
  htmx.ajax("POST", editor().dataset.actUrl, {
    source: editor(),
    target: editor(),
    swap: "innerHTML",
    values: { ...sent, ...values },
  });
}

// --- a box is moved: it and its ways follow, the server draws the rest when it is let go --------

function show(svg, link, x, y) {
  const box = boxOf(link);
  const [byX, byY] = [x - box.x, y - box.y];
  const handle = svg.querySelector(`[data-from="${CSS.escape(box.state)}"]`);
  for (const part of [link, handle]) part?.setAttribute("transform", `translate(${byX} ${byY})`);
  const now = new Map(boxes(svg).map((each) => [each.state, each]));
  now.set(box.state, { ...box, x, y });
  for (const each of svg.querySelectorAll("[data-source]")) {
    const [from, to] = [now.get(each.dataset.source), now.get(each.dataset.target)];
    if (!from || !to || (from.state !== box.state && to.state !== box.state)) continue;
    for (const path of each.querySelectorAll("path")) path.setAttribute("d", way(from, to));
  }
}

function place(state, x, y) {
  send({ act: "place", places: JSON.stringify({ [state]: [x, y] }) });
}

function dragBox(svg, link, event) {
  const [startX, startY] = pointIn(svg, event);
  const box = boxOf(link);
  let at = null;
  const follow = (moved) => {
    const [x, y] = pointIn(svg, moved);
    if (!at && Math.hypot(x - startX, y - startY) < 4) return;
    at = snapped(box.x + x - startX, box.y + y - startY);
    show(svg, link, ...at);
  };
  untilLetGo(link, event, follow, () => {
    if (!at) return;
    // the click that ends a drag chooses nothing
    link.addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
    place(box.state, ...at);
  });
}

function drawTransition(svg, handle, event) {
  const from = boxes(svg).find((each) => each.state === handle.dataset.from);
  const line = svg.querySelector(".flow__draft");
  let target = null;
  const follow = (moved) => {
    const [x, y] = pointIn(svg, moved);
    target = stateAt(boxes(svg), x, y);
    line.setAttribute("d", way(from, { state: "", x: x - 1, y: y - 1, width: 2, height: 2 }));
    for (const each of svg.querySelectorAll("[data-state]")) {
      each.classList.toggle("is-target", each.dataset.state === target);
    }
  };
  untilLetGo(handle, event, follow, () => {
    line.setAttribute("d", "");
    for (const each of svg.querySelectorAll(".is-target")) each.classList.remove("is-target");
    if (target) send({ act: "add_transition", source: from.state, target });
  });
}

function untilLetGo(element, event, follow, done) {
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  const end = (ended) => {
    element.removeEventListener("pointermove", follow);
    element.removeEventListener("pointerup", end);
    element.removeEventListener("pointercancel", end);
    if (ended.type === "pointerup") done();
  };
  element.addEventListener("pointermove", follow);
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
}

function pointerDown(event) {
  const svg = event.target.closest?.(".flow--editing svg");
  if (!svg || event.button !== 0) return;
  const handle = event.target.closest("[data-from]");
  const box = event.target.closest("[data-state]");
  if (handle) drawTransition(svg, handle, event);
  else if (box) dragBox(svg, box, event);
}

let nudge = null; // where the arrow keys have moved a box that is not sent yet
let nudging = 0;

function arrowKeys(event) {
  const link = event.target.closest?.(".flow--editing [data-state]");
  if (!link || event.ctrlKey || event.altKey || event.metaKey) return;
  const box = boxOf(link);
  const to = nudged(nudge?.state === box.state ? { ...box, ...nudge } : box, event.key);
  if (!to) return;
  event.preventDefault();
  nudge = { state: box.state, x: to[0], y: to[1] };
  show(link.ownerSVGElement, link, ...to);
  clearTimeout(nudging);
  nudging = setTimeout(() => {
    place(nudge.state, nudge.x, nudge.y);
    nudge = null;
  }, SETTLED_MS);
}

// --- choosing in the drawing is choosing in the tables ------------------------------------------

function pick(event) {
  const link = event.target.closest?.("[data-pick]");
  const row = link && document.getElementById(link.dataset.pick);
  if (!row || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  row.click();
}

function insertFact(event) {
  const name = event.target.closest?.("[data-insert]")?.dataset.insert;
  const guard = name && document.getElementById("id_guard");
  if (!guard) return;
  const { text, caret } = inserted(guard.value, guard.selectionStart, name);
  guard.value = text;
  guard.focus();
  guard.setSelectionRange(caret, caret);
  guard.dispatchEvent(new Event("input", { bubbles: true }));
  guard.dispatchEvent(new Event("change", { bubbles: true }));
}

// --- one change after the other -----------------------------------------------------------------
// A change names the version of the draft that it was made on: the next one waits for its answer.

let busy = null; // the request that is under way
const waiting = [];
const isOurs = (element) => element.closest?.("#flow-editor") && !element.matches("[data-flow-aside]");

function takeTurns(event) {
  const { elt, issueRequest, triggeringEvent } = event.detail;
  if (!isOurs(elt) || !busy) return;
  event.preventDefault();
  const button = triggeringEvent?.submitter?.id;
  waiting.push(() => {
    // what was clicked may have been drawn anew meanwhile
    if (button) document.getElementById(button)?.click();
    else if (elt.isConnected) issueRequest(true);
    else document.getElementById(elt.id)?.click();
  });
}

// What is pressed stays where it is: leaving a field keeps it, and the answer would draw the box, row
// or button anew between the press and the click. It is drawn when the pointer is up again.
let pressed = false;
const held = new Map();

function hold(event) {
  if (!pressed) return;
  event.detail.shouldSwap = false;
  held.set(event.detail.target.id, event.detail.fragment);
}

function letGo() {
  if (!pressed) return;
  setTimeout(() => {
    pressed = false;
    for (const [id, fragment] of held) {
      const drawn = fragment.firstElementChild;
      document.getElementById(id)?.replaceWith(drawn);
      htmx.process(drawn);
    }
    held.clear();
  });
}

function kept(event) {
  for (const field of document.querySelectorAll("[data-flow-version]")) field.value = event.detail.version;
}

export function startFlowEditor() {
  document.addEventListener("pointerdown", (event) => {
    pressed = Boolean(event.target.closest?.("#flow-editor"));
    pointerDown(event);
  });
  for (const up of ["pointerup", "pointercancel"]) document.addEventListener(up, letGo);
  document.addEventListener("htmx:oobBeforeSwap", hold);
  // a box is a link, which the browser would drag as one
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest?.(".flow--editing svg")) event.preventDefault();
  });
  document.addEventListener("keydown", arrowKeys);
  document.addEventListener("click", (event) => {
    pick(event);
    insertFact(event);
  });
  document.addEventListener("htmx:confirm", takeTurns);
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (isOurs(detail.elt)) busy = detail.xhr;
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.xhr !== busy) return;
    busy = null;
    waiting.shift()?.();
  });
  document.addEventListener("flow:kept", kept);
}
