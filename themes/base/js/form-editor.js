// The form editor: names offered while a rule is typed, parts dragged or moved by keys, the focus
// kept when the panes are drawn anew. What it does is done by the server; this asks for it.
import htmx from "htmx.org";
import { matching, wordAt } from "./rules.js";

const MOST = 8;

// --- names and functions while a rule is typed -----------------------------------------------

const listOf = (field) => document.getElementById(field.getAttribute("aria-controls"));

function hideNames(field) {
  const list = listOf(field);
  if (!list) return;
  list.hidden = true;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function offerNames(field) {
  const list = listOf(field);
  const names = [...document.querySelectorAll("#rule-names > li")];
  const { word } = wordAt(field.value, field.selectionStart);
  const found = word ? matching(names.map((each) => each.dataset.insert), word, MOST) : [];
  list.replaceChildren(
    ...found.map((number, place) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${place}`;
      option.setAttribute("role", "option");
      option.dataset.insert = names[number].dataset.insert;
      option.append(...[...names[number].childNodes].map((node) => node.cloneNode(true)));
      return option;
    }),
  );
  list.hidden = found.length === 0;
  field.setAttribute("aria-expanded", String(!list.hidden));
  field.removeAttribute("aria-activedescendant");
}

function choose(field, option) {
  for (const each of listOf(field).children) each.setAttribute("aria-selected", String(each === option));
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function insert(field, text) {
  const { start } = wordAt(field.value, field.selectionStart);
  field.setRangeText(text, start, field.selectionStart, "end");
  hideNames(field);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  hideNames(field);
}

function nameKeys(event) {
  const field = event.target;
  if (!field.matches?.("[data-rule]")) return;
  const list = listOf(field);
  if (!list || list.hidden) {
    if (event.key === " " && event.ctrlKey) offerNames(field);
    return;
  }
  const options = [...list.children];
  const now = options.findIndex((each) => each.id === field.getAttribute("aria-activedescendant"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const step = event.key === "ArrowDown" ? 1 : -1;
    choose(field, options[(now + step + options.length + (now < 0 && step < 0 ? 1 : 0)) % options.length]);
  } else if ((event.key === "Enter" || event.key === "Tab") && now >= 0) {
    insert(field, options[now].dataset.insert);
  } else if (event.key === "Escape") {
    hideNames(field);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function pressName(event) {
  const option = event.target.closest(".rule__names [role=option]");
  if (!option) return;
  event.preventDefault(); // the field keeps the focus
  const field = option.closest(".rule").querySelector("[data-rule]");
  insert(field, option.dataset.insert);
}

// a condition that was put together goes into its rule
function ruleBuilt(event) {
  const { of, text } = event.detail;
  const field = document.querySelector(`[data-rule-of="${CSS.escape(of)}"] [data-rule]`);
  if (!field) return;
  field.value = text;
  field.dispatchEvent(new Event("change", { bubbles: true }));
  htmx.trigger(field, "rule-built");
}

// --- the outline -----------------------------------------------------------------------------

function act(values) {
  const body = document.getElementById("editor");
  htmx.ajax("POST", body.dataset.changeUrl, {
    source: body,
    target: body,
    swap: "innerHTML",
    values: { ...values, version: document.getElementById("draft-version").value },
  });
}

function outlineKeys(event) {
  if (!event.altKey || !event.target.closest?.("#outline")) return;
  const button = { ArrowUp: "act-up", ArrowDown: "act-down" }[event.key];
  if (!button) return;
  event.preventDefault();
  document.getElementById(button)?.click();
}

// without Alt the arrows go from part to part
function outlineArrows(event) {
  if (event.altKey || !event.target.matches?.("#outline .outline a")) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  const links = [...document.querySelectorAll("#outline .outline a")];
  const next = links[links.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

let dragged = null;

function clearDrop() {
  for (const line of document.querySelectorAll(".outline__line.is-target")) line.classList.remove("is-target");
}

function startDrag(event) {
  const line = event.target.closest?.(".outline__line[data-at]");
  if (!line) return;
  dragged = line.dataset.at;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged);
}

function overDrop(event) {
  const line = event.target.closest?.(".outline__line[data-at]");
  if (!line || dragged === null || line.dataset.at === dragged) return;
  event.preventDefault();
  clearDrop();
  line.classList.add("is-target");
}

function drop(event) {
  const line = event.target.closest?.(".outline__line[data-at]");
  clearDrop();
  if (!line || dragged === null || line.dataset.at === dragged) return;
  event.preventDefault();
  act({ act: "drop", at: dragged, to: line.dataset.at, tab: "items" });
  dragged = null;
}

// the control that had the focus may be gone: then the chosen part has it
function keepFocus(event) {
  if (event.detail.target?.id !== "editor" || document.activeElement !== document.body) return;
  document.getElementById("chosen")?.focus();
}

// on a narrow screen the settings of a part that was chosen come to the front
function showSettings(event) {
  if (event.target.closest("#outline .outline a")) document.getElementById("pane-settings")?.click();
}

export function startFormEditor() {
  if (!document.querySelector("[data-form-editor]")) return;
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-rule]") && event.isTrusted) offerNames(event.target);
  });
  document.addEventListener("keydown", nameKeys, true);
  document.addEventListener("keydown", outlineKeys);
  document.addEventListener("keydown", outlineArrows);
  document.addEventListener("mousedown", pressName);
  document.addEventListener("focusout", (event) => {
    if (event.target.matches("[data-rule]")) hideNames(event.target);
  });
  document.addEventListener("rule-built", (event) => {
    if (event.detail?.of) ruleBuilt(event);
  });
  document.addEventListener("click", showSettings);
  document.addEventListener("dragstart", startDrag);
  document.addEventListener("dragover", overDrop);
  document.addEventListener("dragend", clearDrop);
  document.addEventListener("drop", drop);
  document.addEventListener("htmx:afterSettle", keepFocus);
}
