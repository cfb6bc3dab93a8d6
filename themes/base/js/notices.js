// Toasts, announcements to screen readers, and the bar that asks to reload.
import { string } from "./strings.js";

const STAY_MS = 8000;

/** Say `text` to screen readers when they have finished what they are saying. */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region || !text) return;
  // the same sentence twice is a change only if the region was emptied in between
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 50);
}

/** Show `text` in the corner. A red one stays until it is closed, others go after a while. */
export function toast(text, tone = "blue") {
  const region = document.getElementById("toasts");
  if (!region || !text) return;
  const element = document.createElement("div");
  element.className = `toast tone-${tone}`;
  const words = document.createElement("div");
  words.className = "toast__text";
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button button--quiet button--small";
  close.textContent = string("close");
  close.addEventListener("click", () => element.remove());
  element.append(words, close);
  region.append(element);
  if (tone === "red") return;
  const leave = () => {
    if (element.matches(":hover, :focus-within")) setTimeout(leave, 2000);
    else element.remove();
  };
  setTimeout(leave, STAY_MS);
}

/** Show the bar over the page that asks to reload it. */
export function askToReload(text) {
  const bar = document.getElementById("reload-bar");
  if (!bar || !bar.hidden) return;
  bar.hidden = false;
  // a status region speaks of what changes in it while it is shown
  setTimeout(() => (bar.querySelector("[data-reload-text]").textContent = text), 50);
}
