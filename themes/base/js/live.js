// One websocket a page. The server says what changed; the page asks for the fragment by itself,
// through the ordinary authorised view. Without the socket the page asks at intervals.
import { askToReload } from "./notices.js";
import { readMessage, reconnectDelay } from "./rules.js";
import { string } from "./strings.js";

const PAUSED_AFTER_MS = 3000;
const POLL_MS = 10000;
const COALESCE_MS = 250;
const BUSY_MS = 2000;

const release = document.querySelector('meta[name="portal-release"]')?.content ?? "";
const refused = new Set();
const pending = new WeakMap();
let subscribed = new Set();
let socket = null;
let attempt = 0;
let pauseTimer = null;
let pollTimer = null;

const elements = () => [...document.querySelectorAll("[data-live-topic]")];
const topics = () => new Set(elements().map((element) => element.dataset.liveTopic));

// what a person is in the middle of is not taken from under their hands
function isBusy(element) {
  const focused = document.activeElement;
  const typing =
    element.contains(focused) &&
    focused.matches("input:not([type=checkbox], [type=radio]), textarea") &&
    focused.value !== focused.defaultValue;
  return typing || element.querySelector("dialog[open], form.is-dirty, details.menu[open]") !== null;
}

/** Let `element` ask for its fragment: at most once in 250 ms, the last change included. */
function refresh(element, detail) {
  if (pending.has(element)) return;
  const wait = (ms) =>
    pending.set(
      element,
      setTimeout(() => {
        if (!element.isConnected || refused.has(element.dataset.liveTopic)) return;
        if (isBusy(element)) {
          wait(BUSY_MS);
          return;
        }
        pending.delete(element);
        element.dispatchEvent(new CustomEvent("live", { bubbles: true, detail }));
      }, ms),
    );
  wait(COALESCE_MS);
}

function refreshTopic(topic, detail) {
  for (const element of elements()) {
    if (element.dataset.liveTopic === topic) refresh(element, detail);
  }
}

function refreshAll(what) {
  for (const element of elements()) {
    if (!refused.has(element.dataset.liveTopic)) {
      refresh(element, { topic: element.dataset.liveTopic, what });
    }
  }
}

function subscribe() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const wanted = [...topics()].filter((topic) => !subscribed.has(topic) && !refused.has(topic));
  if (wanted.length === 0) return;
  socket.send(JSON.stringify({ type: "subscribe", topics: wanted }));
  for (const topic of wanted) subscribed.add(topic);
  // what changed between the drawing of the page, or the loss of the socket, and now
  for (const topic of wanted) refreshTopic(topic, { topic, what: "subscribed" });
}

function receive(event) {
  const message = readMessage(event.data);
  if (message === null) return;
  if (message.type === "welcome") {
    if (release && message.release && message.release !== release) askToReload(string("outdated"));
  } else if (message.type === "refused") {
    refused.add(message.topic);
  } else {
    refreshTopic(message.topic, message);
  }
}

function pause() {
  const indicator = document.getElementById("live-state");
  if (indicator) indicator.hidden = false;
  if (pollTimer === null) pollTimer = setInterval(() => document.hidden || refreshAll("poll"), POLL_MS);
}

function resume() {
  clearTimeout(pauseTimer);
  clearInterval(pollTimer);
  pauseTimer = pollTimer = null;
  const indicator = document.getElementById("live-state");
  if (indicator) indicator.hidden = true;
}

function connect() {
  pauseTimer ??= setTimeout(pause, PAUSED_AFTER_MS);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws/live/`);
  subscribed = new Set();
  socket.addEventListener("open", () => {
    attempt = 0;
    resume();
    subscribe();
  });
  socket.addEventListener("message", receive);
  socket.addEventListener("close", () => {
    socket = null;
    pauseTimer ??= setTimeout(pause, PAUSED_AFTER_MS);
    setTimeout(connect, reconnectDelay(attempt, Math.random()));
    attempt += 1;
  });
}

/** Open the socket if, or as soon as, the page has something live on it. */
export function startLive() {
  let started = false;
  const look = () => {
    if (!started && topics().size > 0) {
      started = true;
      connect();
    } else if (started) {
      subscribe();
    }
  };
  look();
  document.addEventListener("htmx:load", look);
  document.addEventListener("visibilitychange", () => document.hidden || refreshAll("visible"));
  // a page that comes back from the browser's cache missed what happened meanwhile
  addEventListener("pageshow", (event) => event.persisted && refreshAll("visible"));
}
