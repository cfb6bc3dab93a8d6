// What was typed into a form and is not yet with the server: in order, numbered, kept through a lost
// connection and a reload. No document and no network of its own: tested by `npm test`.
import { reconnectDelay } from "./rules.js";

/**
 * @typedef {object} Sent what the server answered
 * @property {number} [sequence] the last change that it keeps
 * @property {string} [refused] why it keeps nothing: then sending ends
 * @property {boolean} [signedOut] sign in again, then it goes on
 */

/**
 * A queue of changes, each `{fieldName: text}`.
 * @param {object} tools
 * @param {Storage} tools.storage where changes wait; one tab's, gone with it
 * @param {string} tools.key whose changes, of which form
 * @param {number} tools.opened the version that the page shows
 * @param {number} tools.sequence the last number that the server knows
 * @param {(fields: object, sequence: number, opened: number, whole: boolean) => Promise<Sent>} tools.send
 *   rejects where no answer came; `whole` asks for the whole state, because an answer was lost
 * @param {(sent: Sent) => void} tools.show puts an answer into the page, once its changes are done with
 * @param {(state: string, detail: any) => void} tools.report "kept", "sending", "unsent", "refused"
 *   or "signedOut"
 * @param {() => number} tools.now ms since 1970
 * @param {() => number} tools.random in [0, 1)
 * @param {(act: () => void, ms: number) => any} tools.later as setTimeout
 */
export function sheetQueue({ storage, key, opened, sequence, send, show, report, now, random, later }) {
  let last = sequence;
  let changes = []; // [number, opened version, fields]
  let sending = null;
  let attempt = 0;
  let answerLost = false;
  let ended = false;

  const persist = () => {
    try {
      if (changes.length) storage.setItem(key, JSON.stringify(changes));
      else storage.removeItem(key);
    } catch {
      // full or forbidden: the changes wait in the page alone
    }
  };

  // numbers are moments, so that of two pages of one person the later change is the later number
  const number = () => (last = Math.max(last + 1, now()));

  const fieldsOf = (batch) => Object.assign({}, ...batch.map(([, , fields]) => fields));

  async function sendAll() {
    while (changes.length && !ended) {
      const [, version] = changes[0];
      const batch = changes.filter(([, each]) => each === version);
      const highest = batch.at(-1)[0];
      report("sending", changes.length);
      let sent;
      try {
        sent = await send(fieldsOf(batch), highest, version, answerLost);
      } catch {
        answerLost = true; // it may have arrived all the same
        report("unsent", changes.length);
        later(kick, reconnectDelay(attempt, random()));
        attempt += 1;
        return;
      }
      attempt = 0;
      if (sent.refused !== undefined || sent.signedOut) {
        ended = sent.refused !== undefined;
        answerLost = true;
        report(sent.signedOut ? "signedOut" : "refused", sent.refused);
        if (sent.signedOut) later(kick, 30000);
        return;
      }
      if (sent.sequence > highest) {
        // another page of this person was faster: these come after it
        last = Math.max(last, sent.sequence);
        for (const change of batch) change[0] = number();
        persist();
        continue;
      }
      answerLost = false;
      changes = changes.filter(([each, ofVersion]) => ofVersion !== version || each > highest);
      persist();
      show(sent);
    }
    if (!ended) report("kept", 0);
  }

  function kick() {
    if (sending || ended || !changes.length) return sending;
    sending = sendAll().finally(() => {
      sending = null;
    });
    return sending;
  }

  return {
    /** Note what was typed, and send it as soon as can be. */
    push(fields) {
      changes.push([number(), opened, fields]);
      persist();
      // what is on its way takes this along when it is done
      return kick();
    },
    /** What an earlier page of this tab could not send, by field; it is sent now. */
    restore() {
      let kept;
      try {
        kept = JSON.parse(storage.getItem(key) ?? "[]");
      } catch {
        kept = [];
      }
      changes = Array.isArray(kept) ? kept.filter((change) => Array.isArray(change) && change.length === 3) : [];
      for (const [each] of changes) last = Math.max(last, each);
      answerLost = changes.length > 0;
      kick();
      return fieldsOf(changes);
    },
    /** What is not with the server yet, to be sent while the page goes: null when nothing. */
    pending() {
      if (!changes.length || ended) return null;
      const [, version] = changes.at(-1);
      const batch = changes.filter(([, each]) => each === version);
      return { fields: fieldsOf(batch), sequence: batch.at(-1)[0], opened: version };
    },
    get unsent() {
      return changes.length;
    },
    /** The server is to be asked again at once: the connection is back. */
    retry: () => kick(),
    /** Wait for what is on its way, then send nothing more: the form itself is sent. */
    async close() {
      ended = true;
      await sending;
    },
    /** Go on after all: the form was not sent. */
    reopen() {
      ended = false;
      kick();
    },
  };
}

/** Everything that waits in this tab is forgotten: its person signs out. */
export function forgetAll(storage) {
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
  for (const key of keys) if (key?.startsWith("sheet:")) storage.removeItem(key);
}
