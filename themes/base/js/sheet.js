// Filling in a form: what is typed goes to the server as each field is left, which alone decides what
// follows from it. Without this the form is saved by its button.
import htmx from "htmx.org";
import { forgetAll, sheetQueue } from "./sheet_queue.js";

const IDLE_MS = 3000;
const ANSWER_MS = 30000;
const CONTROLS = "input:not([type=hidden]), select, textarea";

const csrf = (form) => form.elements.csrfmiddlewaretoken.value;
const wrapperOf = (element) => element?.closest?.(".sheet-field");

/** What stands in the field of that name, as the server takes it. */
function textOf(form, name) {
  const found = [...form.elements].filter((element) => element.name === name);
  const ticks = found.filter((element) => element.type === "checkbox");
  if (ticks.length) return ticks.filter((tick) => tick.checked).map((tick) => tick.value).join("\n");
  const buttons = found.filter((element) => element.type === "radio");
  if (buttons.length) return buttons.find((button) => button.checked)?.value ?? "";
  return found.at(-1)?.value ?? "";
}

/** Put what was typed before a reload back into its field. */
function putText(form, name, text) {
  const chosen = text.split("\n");
  for (const element of form.elements) {
    if (element.name !== name) continue;
    const beforeTicks = element.type === "hidden" && element.closest(".sheet-file") === null;
    if (element.type === "checkbox" || element.type === "radio") element.checked = chosen.includes(element.value);
    else if (!beforeTicks) element.value = text;
  }
}

function state(form) {
  const line = document.getElementById("sheet-state");
  const words = form.dataset;
  return (what, detail) => {
    line.classList.toggle("sheet-state--alarm", ["unsent", "refused", "signedOut"].includes(what));
    if (what === "kept") line.textContent = words.saidKept;
    else if (what === "sending") line.textContent = words.saidSending;
    else if (what === "unsent") line.textContent = words.saidUnsent.replace("%n", detail);
    else if (what === "signedOut") line.textContent = words.saidSignedOut;
    else if (what === "refused") line.textContent = `${words.saidRefused} ${detail}`;
  };
}

/** The body of a request about changed fields. */
function body(form, fields, sequence, opened, whole) {
  const data = new FormData();
  data.set("csrfmiddlewaretoken", csrf(form));
  for (const [name, text] of Object.entries(fields)) data.set(name, text);
  data.set("sequence", sequence);
  data.set("opened_version", opened);
  if (whole) data.set("whole", "1");
  return data;
}

async function post(form, url, data) {
  const response = await fetch(url, {
    method: "POST",
    body: data,
    headers: { "X-CSRFToken": csrf(form) },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (response.status >= 500 || response.status === 429) throw new Error(response.status);
  // sent elsewhere: to the page that asks who one is
  if (response.redirected) return { signedOut: true };
  const text = await response.text();
  if (response.status === 422) return { refused: text };
  if (!response.ok) return { refused: response.headers.get("content-type")?.startsWith("text/plain") ? text : "" };
  return { sequence: Number(response.headers.get("X-Sheet-Sequence")), text };
}

/** Put the fragments of an answer into the page. */
function show({ text }) {
  htmx.swap("#sheet-answer", text, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
}

// a field in which somebody types is not taken from under their hands: it only comes and goes
function spareTypedIn(queue) {
  return (event) => {
    const { target, fragment } = event.detail;
    if (!target.matches?.(".sheet-field, .sheet-part")) return;
    const fresh = fragment.firstElementChild;
    const typing = target.contains(document.activeElement) && document.activeElement.matches(CONTROLS);
    const waiting = Object.keys(queue.pending()?.fields ?? {});
    const waits = [...target.querySelectorAll("[name]")].some((element) => waiting.includes(element.name));
    if (!typing && !waits) return;
    event.detail.shouldSwap = false;
    target.hidden = fresh?.hidden ?? target.hidden;
    if (typing && target.hidden) step(document.activeElement, 1);
  };
}

/** Go to the next field that is shown, or to the one before. */
function step(from, direction) {
  const form = from.closest("form");
  const fields = [...form.querySelectorAll(".sheet-field")];
  const at = fields.indexOf(wrapperOf(from));
  const rest = direction > 0 ? fields.slice(at + 1) : fields.slice(0, at).reverse();
  for (const field of rest) {
    if (!field.checkVisibility()) continue;
    const control = field.querySelector("input[type=radio]:checked") ?? field.querySelector(CONTROLS);
    if (!control) continue;
    control.focus();
    if (control.select && control.type === "text") control.select();
    return;
  }
  form.querySelector("[data-sheet-save]").focus();
}

function keys(event) {
  const { target } = event;
  const form = target.closest?.("form[data-sheet]");
  if (!form || event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[data-sheet-save]"));
  } else if (event.key === "Enter" && target.matches("input:not([type=file])")) {
    event.preventDefault();
    step(target, event.shiftKey ? -1 : 1);
  } else if ((event.key === "Delete" || event.key === "Backspace") && target.type === "radio") {
    // an answer given by mistake is taken away by the keyboard too
    const none = [...form.elements].find((each) => each.name === target.name && each.type === "radio" && each.value === "");
    if (!none) return;
    event.preventDefault();
    none.checked = true;
    none.focus();
    none.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

function fillIn(form) {
  const { dataset } = form;
  const report = state(form);
  const queue = sheetQueue({
    storage: sessionStorage,
    key: dataset.key,
    opened: Number(form.elements.opened_version.value),
    sequence: Number(dataset.sequence),
    send: (fields, sequence, opened, whole) =>
      post(form, dataset.checkUrl, body(form, fields, sequence, opened, whole)),
    show,
    report,
    now: Date.now,
    random: Math.random,
    later: (act, ms) => setTimeout(act, ms),
  });
  const known = new Map(); // by field: what was noted last
  let idle = null;
  let sent = false;

  const note = (name) => {
    const text = textOf(form, name);
    if (known.get(name) === text) return;
    known.set(name, text);
    queue.push({ [name]: text });
  };
  const fieldOf = (element) => {
    const { name } = element;
    return name && name !== "opened_version" && !name.startsWith("file:") && wrapperOf(element) ? name : "";
  };
  const noteTyped = () => {
    const typing = document.activeElement;
    if (typing?.form !== form || !typing.matches("input[type=text], input[type=date], textarea")) return;
    if (fieldOf(typing) && typing.value !== typing.defaultValue) note(typing.name);
  };

  const typedBefore = queue.restore();
  for (const [name, text] of Object.entries(typedBefore)) {
    putText(form, name, text);
    known.set(name, text);
  }

  form.addEventListener("change", (event) => {
    if (event.target.type === "file") upload(event.target);
    else if (fieldOf(event.target)) note(event.target.name);
  });
  // who types a long text has it kept before the field is left
  form.addEventListener("input", () => {
    clearTimeout(idle);
    idle = setTimeout(noteTyped, IDLE_MS);
  });
  form.addEventListener("click", (event) => {
    const add = event.target.closest("[data-sheet-add]");
    const remove = event.target.closest("[data-sheet-remove]");
    const noFile = event.target.closest("[data-sheet-no-file]");
    if (!add && !remove && !noFile) return;
    event.preventDefault();
    if (noFile) {
      form.elements[noFile.dataset.sheetNoFile].value = "";
      note(noFile.dataset.sheetNoFile);
      return;
    }
    const part = event.target.closest(".sheet-part").id;
    const name = add ? add.value : remove.dataset.sheetRemove;
    const done = queue.push({ [name]: add ? "" : remove.dataset.sheetGone });
    Promise.resolve(done).then(() => {
      const row = [...document.querySelectorAll(`#${part} .sheet-row`)].at(-1);
      (add ? row?.querySelector(CONTROLS) : document.querySelector(`#${part} [data-sheet-add]`))?.focus();
    });
  });

  async function upload(input) {
    const [file] = input.files;
    if (!file) return;
    report("sending", 1);
    const data = body(form, {}, 0, form.elements.opened_version.value, false);
    data.set(input.name, file);
    const name = input.name.replace(/^file:/, "");
    try {
      const { text, refused, signedOut } = await post(form, dataset.uploadUrl, data);
      if (text === undefined) {
        report(signedOut ? "signedOut" : "refused", refused);
        input.value = "";
        return;
      }
      form.elements[name].value = text;
      note(name);
    } catch {
      report("unsent", 1); // the file is still chosen: saving sends it
    }
  }

  form.addEventListener("submit", (event) => {
    if (sent) return;
    event.preventDefault();
    const { submitter } = event;
    // nothing of the page may arrive after the form itself
    const waited = new Promise((resolve) => setTimeout(resolve, 5000));
    Promise.race([queue.close(), waited]).then(() => {
      // later: as long as this event is told of, the form cannot be submitted again
      setTimeout(() => {
        sent = true;
        form.requestSubmit(submitter);
      });
      // the form may not have gone: the connection is away, and the page stays
      setTimeout(() => {
        sent = false;
        queue.reopen();
      }, 10000);
    });
  });
  document.body.addEventListener("htmx:oobBeforeSwap", spareTypedIn(queue));
  addEventListener("online", () => queue.retry());
  addEventListener("pagehide", () => {
    if (sent) return;
    noteTyped();
    const rest = queue.pending();
    if (!rest) return;
    // it stays in the queue: should it not arrive, the next page of this form sends it again
    fetch(dataset.checkUrl, {
      method: "POST",
      body: body(form, rest.fields, rest.sequence, rest.opened, false),
      headers: { "X-CSRFToken": csrf(form) },
      keepalive: true,
    }).catch(() => {});
  });
  addEventListener("beforeunload", (event) => {
    if (!sent && queue.unsent && navigator.onLine === false) event.preventDefault();
  });
}

/** Forms to be filled in, and what is left of them when they are saved or their person goes. */
export function startSheets() {
  for (const saved of document.querySelectorAll("[data-sheet-saved]")) {
    sessionStorage.removeItem(saved.dataset.sheetSaved);
  }
  document.addEventListener("keydown", keys);
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-sign-out]")) forgetAll(sessionStorage);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });
  const form = document.querySelector("form[data-sheet]");
  if (form) fillIn(form);
}
