// The meeting room: what the writer types goes to the server within a quarter of a second, numbered,
// and nothing of it is lost while the connection is: it waits on the page and is sent when that is
// back. Whoever leaves the room says so. All else are the page's live parts.

const AFTER_MS = 250;
const AGAIN_MS = 2000;

/** What was typed and is not at the server yet, of the form on the page. */
let unsent = new Map();
let sending = false;
let timer = null;
let sequence = 0;
let lost = false;

const form = () => document.querySelector("form[data-minutes]");

function say(text, tone = "") {
  const place = document.getElementById("minutes-state");
  if (!place) return;
  place.textContent = text;
  place.classList.toggle("room__state--bad", tone === "bad");
}

/** The text of a field as the server reads it: of several ticks the ticked ones, a line each. */
function textOf(owner, field) {
  const same = [...owner.elements].filter((each) => each.name === field.name && each.type !== "hidden");
  if (field.type === "radio") return same.find((each) => each.checked)?.value ?? "";
  if (field.type === "checkbox") return same.filter((each) => each.checked).map((each) => each.value).join("\n");
  return field.value;
}

function note(event) {
  const owner = event.target.closest?.("form[data-minutes]");
  if (!owner || !event.target.name || event.target.type === "hidden") return;
  put(event.target.name, textOf(owner, event.target));
}

function put(name, text) {
  unsent.set(name, text);
  form()?.classList.add("is-dirty");
  timer ??= setTimeout(send, AFTER_MS);
}

function bodyOf(owner, typed) {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", owner.elements.namedItem("csrfmiddlewaretoken").value);
  body.set("opened_version", owner.dataset.openedVersion);
  // later than every number before, also of a page that was loaded anew
  sequence = Math.max(sequence + 1, Number(owner.dataset.sequence) + 1, Date.now());
  body.set("sequence", String(sequence));
  for (const [name, text] of typed) body.set(name, text);
  return body;
}

async function send() {
  timer = null;
  const owner = form();
  if (!owner || sending || unsent.size === 0) return;
  const typed = unsent;
  unsent = new Map();
  sending = true;
  say(owner.dataset.saidSending);
  try {
    const answer = await fetch(owner.dataset.writeUrl, {
      method: "POST",
      body: bodyOf(owner, typed),
      redirect: "error",
    });
    if (answer.status === 409 || answer.status === 403 || answer.status === 404) {
      refused(owner, typed, await answer.text());
    } else if (!answer.ok) {
      throw new Error(String(answer.status));
    } else {
      lost = false;
      settle(owner, typed);
      show(await answer.text());
      say(owner.dataset.saidKept);
    }
  } catch {
    lost = true;
    // what was typed since then is newer
    unsent = new Map([...typed, ...unsent]);
    say(owner.dataset.saidUnsent, "bad");
  } finally {
    sending = false;
    if (unsent.size > 0) timer ??= setTimeout(send, lost ? AGAIN_MS : AFTER_MS);
    else owner.classList.remove("is-dirty");
  }
}

/** What is kept at the server is no unsaved typing: a change of the pen may replace the form. */
function settle(owner, typed) {
  for (const [name, text] of typed) {
    const field = owner.elements.namedItem(name);
    if (field instanceof HTMLElement && "defaultValue" in field && field.value === text) field.defaultValue = text;
  }
}

/** The pen is somebody else's: what was not taken in stands on the page, to be copied. */
function refused(owner, typed, words) {
  const texts = [...typed.values()].filter(Boolean).join(" · ");
  let place = document.getElementById("minutes-refused");
  if (!place) {
    place = document.createElement("div");
    place.id = "minutes-refused";
    place.className = "callout tone-amber";
    place.setAttribute("role", "alert");
    document.querySelector(".room").before(place);
  }
  const line = document.createElement("p");
  line.textContent = `${words} ${owner.dataset.saidRefused} ${texts}`;
  place.append(line);
  document.activeElement?.blur(); // so that the part with the minutes may show who writes now
}

/** Put the fragments of an answer where their ids are; a field that has the focus stays. */
function show(html) {
  const answer = document.createElement("template");
  answer.innerHTML = html;
  for (const part of answer.content.querySelectorAll("[hx-swap-oob]")) {
    part.removeAttribute("hx-swap-oob");
    const place = document.getElementById(part.id);
    if (place && !place.contains(document.activeElement)) place.replaceWith(part);
  }
}

function rows(event) {
  const button = event.target.closest?.("form[data-minutes] button[data-sheet-add], form[data-minutes] button[data-sheet-remove]");
  if (!button) return;
  event.preventDefault();
  button.blur();
  if (button.dataset.sheetRemove) put(button.dataset.sheetRemove, button.dataset.sheetGone);
  else put(button.value, "");
}

function chooseTab(event) {
  const tab = event.target.closest?.(".room__patient .tabs__tab");
  if (!tab) return;
  for (const each of tab.closest(".tabs").querySelectorAll(".tabs__tab")) each.removeAttribute("aria-current");
  tab.setAttribute("aria-current", "true");
}

function leave() {
  const here = document.querySelector("[data-room-here]");
  const token = document.querySelector('[name="csrfmiddlewaretoken"]')?.value;
  if (!here || !token) return;
  const owner = form();
  if (owner && unsent.size > 0) navigator.sendBeacon(owner.dataset.writeUrl, bodyOf(owner, unsent));
  const gone = new FormData();
  gone.set("csrfmiddlewaretoken", token);
  gone.set("gone", "1");
  navigator.sendBeacon(here.dataset.roomHere, gone);
}

document.addEventListener("input", note);
document.addEventListener("change", note);
document.addEventListener("click", rows);
document.addEventListener("click", chooseTab);
document.addEventListener("submit", (event) => event.target.matches("form[data-minutes]") && event.preventDefault());
addEventListener("online", send);
addEventListener("pagehide", leave);
addEventListener("beforeunload", (event) => {
  if (unsent.size > 0 || sending) event.preventDefault();
});
