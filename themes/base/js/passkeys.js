// Passkeys: registering one, and signing with one. The server says what the device is to sign and
// judges its answer; a form is held back until the device has answered, then sent as any other.

const SUPPORTED =
  typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === "function" && !!navigator.credentials;
// forms that go through at their next submit: the answer is in them
const answered = new WeakSet();
const busy = new WeakSet();

/** A refusal that the server put in words: `{message, details}`. */
class Told extends Error {
  constructor({ message, details = [] }) {
    super(message);
    this.details = details;
  }
}

function say(form, texts) {
  const place = form.querySelector("[data-sign-said]");
  const callout = document.createElement("div");
  callout.className = "callout tone-red";
  for (const text of texts) {
    const line = document.createElement("p");
    line.textContent = text;
    callout.append(line);
  }
  place.replaceChildren(...(texts.length ? [callout] : []));
}

async function ask(address, body) {
  const answer = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
  if (answer.redirected) throw new DOMException("", "SecurityError");
  if (answer.status === 422) throw new Told(await answer.json());
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()).publicKey;
}

function wordsFor(error, words) {
  if (error instanceof Told) return [error.message, ...error.details];
  // the browser says the same of a person who stopped, of one not recognised, and of a time-out
  if (error.name === "NotAllowedError" || error.name === "AbortError") return [words.cancelled];
  if (error.name === "InvalidStateError" && words.known) return [words.known];
  if (error.name === "SecurityError" && words.signedOut) return [words.signedOut];
  return [words.failed];
}

/** Have the device answer with `answer`, put that into the form, and send it by `submitter`. */
async function hold(form, submitter, words, answer) {
  if (busy.has(form)) return;
  busy.add(form);
  submitter?.setAttribute("aria-disabled", "true");
  say(form, []);
  const field = form.elements.namedItem("passkey");
  try {
    const credential = await answer();
    field.value = JSON.stringify(credential.toJSON());
    answered.add(form);
    form.requestSubmit(submitter);
  } catch (error) {
    say(form, wordsFor(error, words));
  } finally {
    // what was sent was read from the form at once; an answer is good for one time
    field.value = "";
    answered.delete(form);
    busy.delete(form);
    submitter?.removeAttribute("aria-disabled");
  }
}

function sign(form, submitter) {
  const body = new FormData(form, submitter);
  body.delete("pin");
  body.set("passkey_asked", "1");
  const address = form.getAttribute("action") || form.getAttribute("hx-post") || location.href;
  return hold(form, submitter, form.querySelector("[data-sign-fields]").dataset, async () =>
    navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(await ask(address, body)),
    }),
  );
}

function register(form, submitter) {
  return hold(form, submitter, form.dataset, async () =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(
        await ask(form.dataset.registerPasskey, new FormData(form)),
      ),
    }),
  );
}

// the button that signs says so; in a form where none does, each of them signs
function signs(form, submitter) {
  const buttons = [...form.elements].filter((element) => element.matches("button[data-signs]"));
  return buttons.length === 0 || submitter?.matches("[data-signs]");
}

function onSubmit(event) {
  const form = event.target;
  if (answered.has(form) || event.defaultPrevented) return;
  const chosen = form.querySelector('[data-sign-ways]:not([disabled]) input[value="passkey"]:checked');
  let held = null;
  if (form.matches("[data-register-passkey]")) held = register;
  else if (chosen && signs(form, event.submitter)) held = sign;
  if (!held) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  held(form, event.submitter);
}

function showWay(fieldset) {
  const passkey = fieldset.querySelector('input[value="passkey"]').checked;
  const place = fieldset.closest("[data-sign-fields]");
  fieldset.querySelector("[data-passkey-help]").hidden = !passkey;
  const pin = place.querySelector("[data-sign-pin]");
  if (!pin) return;
  pin.hidden = passkey;
  // what is hidden is neither sent nor asked for
  for (const input of pin.querySelectorAll("input")) input.disabled = passkey;
}

function prepare(root) {
  for (const place of root.querySelectorAll("[data-sign-fields], [data-register-passkey]")) {
    const ways = place.querySelector("[data-sign-ways]");
    if (SUPPORTED && ways) {
      ways.hidden = ways.disabled = false;
      // after a wrong PIN the person is still typing it
      const pin = place.querySelector("[data-sign-pin] [aria-invalid]");
      if (pin) ways.querySelector('input[value="pin"]').checked = true;
      showWay(ways);
    } else if (!SUPPORTED) {
      const sentence = place.querySelector("[data-no-passkeys]");
      if (sentence) sentence.hidden = false;
      if (place.matches("[data-register-passkey]")) {
        for (const button of place.querySelectorAll("button")) button.disabled = true;
      }
    }
  }
}

export function startPasskeys() {
  document.addEventListener("submit", onSubmit, true);
  document.addEventListener("change", (event) => {
    const fieldset = event.target.closest?.("[data-sign-ways]");
    if (fieldset) showWay(fieldset);
  });
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  prepare(document);
}
