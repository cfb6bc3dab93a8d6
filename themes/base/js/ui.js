// Dialogs, rows that open, forms that warn, menus, theme: small behaviours hung on data attributes.
import { announce } from "./notices.js";
import { nextDay } from "./rules.js";
import { string } from "./strings.js";
import { chooseTheme, chosenTheme } from "./theme_choice.js";

const INTERACTIVE = "a, button, input, select, textarea, label, summary, [contenteditable]";

function clickDialogs(event) {
  const opener = event.target.closest("[data-open-dialog]");
  if (opener) document.getElementById(opener.dataset.openDialog)?.showModal();
  const closer = event.target.closest("[data-close-dialog]");
  if (closer) closer.closest("dialog")?.close();
}

function openDialogsIn(root) {
  const found = [...root.querySelectorAll("dialog[data-open-now]")];
  if (root.matches?.("dialog[data-open-now]")) found.push(root);
  for (const dialog of found) {
    if (!dialog.open) dialog.showModal();
    dialog.addEventListener("close", () => dialog.remove(), { once: true });
  }
}

function openRow(row, inNewTab) {
  if (inNewTab) window.open(row.dataset.href, "_blank", "noopener");
  else location.assign(row.dataset.href);
}

function clickRow(event) {
  const row = event.target.closest("tr[data-href]");
  if (!row || event.target.closest(INTERACTIVE) || String(getSelection())) return;
  openRow(row, event.ctrlKey || event.metaKey);
}

// Enter opens a row; the arrows go from row to row
function rowKeys(event) {
  const row = event.target.closest("tr[data-href]");
  if (!row) return;
  const onRow = event.target === row;
  if (event.key === "Enter" && onRow) {
    openRow(row, event.ctrlKey || event.metaKey);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!onRow && !event.target.matches("a")) return;
    const rows = [...row.closest("table").querySelectorAll("tbody tr[data-href]")];
    const next = rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
    const target = next?.hasAttribute("tabindex") ? next : next?.querySelector("a");
    if (target) {
      event.preventDefault();
      target.focus();
    }
  }
}

// in a calendar the arrows go from day to day
function calendarKeys(event) {
  const table = event.target.closest("table[data-arrow-keys]");
  if (!table || event.altKey || event.ctrlKey || event.metaKey) return;
  const days = [...table.querySelectorAll("td a")];
  const next = days[nextDay(days.indexOf(event.target), event.key)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

function markDirty(event) {
  event.target.closest("form[data-warn-unsaved]")?.classList.add("is-dirty");
}

function markSaved(event) {
  event.target.closest("form")?.classList.remove("is-dirty");
}

function warnUnsaved(event) {
  if (document.querySelector("form.is-dirty[data-warn-unsaved]")) event.preventDefault();
}

function confirmReload(event) {
  const button = event.target.closest("[data-reload]");
  if (!button) return;
  if (!document.querySelector("form.is-dirty") || confirm(string("leave"))) {
    for (const form of document.querySelectorAll("form.is-dirty")) form.classList.remove("is-dirty");
    location.reload();
  }
}

// an open menu closes at a click elsewhere, at Escape, and when the focus leaves it
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

function escapeMenu(event) {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  closeMenus();
  menu?.querySelector("summary").focus();
}

function showThemeChoice() {
  const chosen = chosenTheme();
  for (const button of document.querySelectorAll("[data-set-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === chosen));
  }
}

function clickTheme(event) {
  const button = event.target.closest("[data-set-theme]");
  if (!button) return;
  chooseTheme(button.dataset.setTheme);
  showThemeChoice();
  announce(button.textContent.trim());
}

// after a refused form the summary of errors is where the person must read on
function focusSummary(root) {
  const summary = root.matches?.("[data-focus-here]") ? root : root.querySelector("[data-focus-here]");
  if (!summary) return;
  summary.focus();
  for (const form of document.querySelectorAll("form[data-warn-unsaved]")) {
    if (root.contains(form) || form.contains(root)) form.classList.add("is-dirty");
  }
}

// on a narrow screen the chosen day may lie outside the strip
function showChosenDay() {
  const day = document.querySelector(".week__day[aria-current]");
  const strip = day?.closest(".week__days");
  if (strip) strip.scrollLeft = day.offsetLeft - (strip.clientWidth - day.offsetWidth) / 2;
}

export function startUi() {
  document.addEventListener("click", (event) => {
    clickDialogs(event);
    clickRow(event);
    confirmReload(event);
    clickTheme(event);
    closeMenus(event.target);
  });
  document.addEventListener("keydown", (event) => {
    rowKeys(event);
    calendarKeys(event);
    escapeMenu(event);
  });
  document.addEventListener("focusin", (event) => closeMenus(event.target));
  document.addEventListener("input", markDirty);
  document.addEventListener("change", markDirty);
  document.addEventListener("submit", markSaved);
  addEventListener("beforeunload", warnUnsaved);
  document.addEventListener("htmx:load", (event) => {
    openDialogsIn(event.detail.elt);
    focusSummary(event.detail.elt);
  });
  openDialogsIn(document);
  focusSummary(document);
  showThemeChoice();
  showChosenDay();
}
