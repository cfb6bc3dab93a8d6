// How htmx behaves here: nothing evaluated, nothing kept, nothing jumps when a change comes live.
import htmx from "htmx.org";
import { announce, askToReload, toast } from "./notices.js";
import { string } from "./strings.js";

Object.assign(htmx.config, {
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false,
  selfRequestsOnly: true,
  // no page is kept in the browser's storage: it may name patients
  historyCacheSize: 0,
  refreshOnHistoryMiss: true,
  scrollBehavior: "auto",
  // 422: a form with errors. 409: somebody else saved first. Both come with a page part to show.
  responseHandling: [
    { code: "204", swap: false },
    { code: "[23]..", swap: true },
    { code: "409", swap: true },
    { code: "422", swap: true },
    { code: "[45]..", swap: false, error: true },
    { code: "...", swap: false },
  ],
});

const isLive = (detail) => detail.requestConfig?.triggeringEvent?.type === "live";

// what a page asks by itself is no sign that its person is there: sessions still time out
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.triggeringEvent?.type === "live") detail.headers["X-Portal-Live"] = "1";
});

// what the clock writes, what masks a token, and what a fade leaves behind is no change
function comparable(node) {
  const copy = node.cloneNode(true);
  for (const input of copy.querySelectorAll('input[name="csrfmiddlewaretoken"]')) input.remove();
  for (const element of [copy, ...copy.querySelectorAll("*")]) {
    if (element.nodeType !== Node.ELEMENT_NODE) continue;
    if (element.matches("[data-countdown-to], [data-activity-mbq]")) element.textContent = "";
    if (element.matches("details")) element.removeAttribute("open");
    element.classList.remove("is-fresh", "is-passed", "htmx-request", "htmx-settling", "htmx-added");
    if (element.className === "") element.removeAttribute("class");
  }
  copy.normalize?.();
  return copy;
}

function holdsAlready(target, html, style) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  if (style === "outerHTML") {
    const only = template.content.children.length === 1 ? template.content.firstElementChild : null;
    return only !== null && comparable(target).isEqualNode(comparable(only));
  }
  const shell = target.cloneNode(false);
  shell.append(template.content);
  const now = comparable(target);
  const then = comparable(shell);
  now.innerHTML = now.innerHTML.trim();
  then.innerHTML = then.innerHTML.trim();
  return now.isEqualNode(then);
}

// rows and items by id, to tell after the swap which of them changed
const keyed = (root) => [...root.querySelectorAll(":is(tr, li, section, article, div)[id]")];
// by request: what a region held before it was swapped, and what the person had ticked and unfolded
const regions = new WeakMap();

function handState(root) {
  return {
    ticked: [...root.querySelectorAll("input[type=checkbox][id]:checked")].map((box) => box.id),
    unfolded: [...root.querySelectorAll("details[id][open]")].map((part) => part.id),
  };
}

function restoreHandState(root, { ticked, unfolded }) {
  for (const box of root.querySelectorAll("input[type=checkbox][id]")) {
    if (ticked.includes(box.id)) box.checked = true;
  }
  for (const part of root.querySelectorAll("details[id]")) {
    if (unfolded.includes(part.id)) part.open = true;
  }
}

function beforeSwap(event) {
  const { detail } = event;
  if (!isLive(detail) || !detail.shouldSwap) return;
  const asked = new URL(detail.pathInfo.requestPath, location.href).pathname;
  if (detail.xhr.responseURL && new URL(detail.xhr.responseURL).pathname !== asked) {
    // sent elsewhere, to the login: that page is no part of this one
    detail.shouldSwap = false;
    askToReload(string("signedOut"));
    return;
  }
  const asking = detail.requestConfig.elt.closest("[hx-swap]");
  const style = detail.swapOverride ?? asking?.getAttribute("hx-swap") ?? "innerHTML";
  if (holdsAlready(detail.target, detail.serverResponse, style.split(" ")[0])) {
    detail.shouldSwap = false;
    return;
  }
  regions.set(detail.xhr, {
    before: new Map(keyed(detail.target).map((element) => [element.id, comparable(element)])),
    hand: handState(detail.target),
  });
}

function showFresh(root, before) {
  const rows = keyed(root);
  const changed = rows.filter((row) => !before.get(row.id)?.isEqualNode(comparable(row)));
  // of a changed row and the region around it only the row is shown
  const innermost = changed.filter((row) => !changed.some((other) => other !== row && row.contains(other)));
  for (const element of innermost.length ? innermost : [root]) {
    element.classList.add("is-fresh");
    element.addEventListener("animationend", () => element.classList.remove("is-fresh"), { once: true });
  }
}

function afterSettle(event) {
  const { detail } = event;
  const region = regions.get(detail.xhr);
  if (!region) return;
  regions.delete(detail.xhr);
  // htmx tells this of each new element; a target replaced by its fragment is the new element
  const root = detail.target.isConnected ? detail.target : detail.elt;
  restoreHandState(root, region.hand);
  showFresh(root, region.before);
  const spoken = root.matches("[data-announce]") ? root : root.querySelector("[data-announce]");
  if (spoken) announce(spoken.dataset.announce);
}

function responseError(event) {
  const { detail } = event;
  if (isLive(detail)) return; // the next change or the next poll asks again
  const number = detail.xhr.getResponseHeader("X-Error-Number");
  if (detail.xhr.status === 403) toast(string("refused"), "red");
  else toast(`${string("failed")} ${number ?? detail.xhr.status}`, "red");
}

export function startSwaps() {
  document.addEventListener("htmx:beforeSwap", beforeSwap);
  document.addEventListener("htmx:afterSettle", afterSettle);
  document.addEventListener("htmx:responseError", responseError);
  document.addEventListener("htmx:sendError", (event) => {
    if (!isLive(event.detail)) toast(string("noAnswer"), "red");
  });
  // a view may say something with HX-Trigger: {"toast": {"text": "…", "tone": "green"}}
  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.tone));
}
