// The vial planner: a vial can be dragged onto an order instead of choosing the order in its list,
// and what each order is given adds up at once. Without this script the page does the same by
// "Add up again". Everything is in the form: the server decides anew.

const form = document.querySelector("[data-planner]");
const language = document.documentElement.lang || "en";
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0, useGrouping: "always" });

/** Whole MBq as the server writes them: thousands apart by a narrow space. */
const written = (mbq) =>
  whole
    .formatToParts(Math.round(mbq) + 0) // never "-0"
    .map((part) => (part.type === "group" ? "\u202f" : part.value))
    .join("");

function chosenOf(vial) {
  const option = vial.querySelector("select").selectedOptions[0];
  return { order: option?.value ?? "", mbq: Number(option?.dataset.mbq ?? 0) };
}

/** Write into each order's row what its vials give it. */
function addUp() {
  const given = new Map();
  for (const vial of form.querySelectorAll("[data-vial]")) {
    const { order, mbq } = chosenOf(vial);
    if (!order) continue;
    const sum = given.get(order) ?? { mbq: 0, names: [] };
    sum.mbq += mbq;
    sum.names.push(vial.dataset.name);
    given.set(order, sum);
  }
  for (const row of form.querySelectorAll("tr[data-order]")) {
    const { mbq, names } = given.get(row.dataset.order) ?? { mbq: 0, names: [] };
    const needed = row.dataset.neededMbq === "" ? null : Number(row.dataset.neededMbq);
    row.querySelector("[data-given]").textContent = written(mbq);
    row.querySelector("[data-over]").textContent = needed === null ? "–" : written(mbq - needed);
    row.querySelector("[data-vials]").textContent = names.join(", ");
    row.querySelector("[data-why]")?.toggleAttribute("hidden", names.length > 0);
    const enough = needed === null ? names.length > 0 : mbq >= needed * (1 - 1e-9);
    row.classList.toggle("is-short", !enough);
  }
}

/** Whether the dragged vial may go to the order: the order stands in its list. */
function optionFor(vial, row) {
  const options = [...(vial?.querySelectorAll("option") ?? [])];
  return options.find((option) => option.value === row.dataset.order);
}

function letDrag() {
  let dragged = null;
  for (const vial of form.querySelectorAll("[data-vial]")) vial.draggable = true;
  form.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-vial]") ?? null;
    if (dragged) event.dataTransfer.effectAllowed = "move";
  });
  form.addEventListener("dragend", () => {
    dragged = null;
    for (const row of form.querySelectorAll(".is-target")) row.classList.remove("is-target");
  });
  form.addEventListener("dragover", (event) => {
    const row = event.target.closest?.("tr[data-order]");
    for (const each of form.querySelectorAll(".is-target")) if (each !== row) each.classList.remove("is-target");
    if (!row || !optionFor(dragged, row)) return;
    event.preventDefault();
    row.classList.add("is-target");
  });
  form.addEventListener("drop", (event) => {
    const row = event.target.closest?.("tr[data-order]");
    const option = row && optionFor(dragged, row);
    if (!option) return;
    event.preventDefault();
    option.selected = true;
    option.parentElement.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

if (form) {
  form.addEventListener("change", addUp);
  letDrag();
}
