// Pure functions: no document, no clock of their own. Tested by `npm test`.

/**
 * Activity after decay: A(t) = A₀ · 2^(−(t − t₀) / T½).
 * @param {number} activityMbq A₀ at `measuredAt`, in MBq
 * @param {number} measuredAt t₀ in ms since 1970
 * @param {number} halfLifeS T½ in seconds
 * @param {number} now t in ms since 1970
 * @returns {number} MBq at `now`
 */
export function activityAt(activityMbq, measuredAt, halfLifeS, now) {
  return activityMbq * 2 ** (-(now - measuredAt) / 1000 / halfLifeS);
}

/** A number as the portal writes it: decimals of the language, narrow space between thousands. */
export function formatNumber(value, language, decimals) {
  return new Intl.NumberFormat(language, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
    useGrouping: "always",
  })
    .formatToParts(value)
    .map((part) => (part.type === "group" ? "\u202f" : part.value))
    .join("");
}

/** The two largest units of a duration, rounded down to whole minutes: "2 d. 3 t." or "2 hr 14 min". */
export function formatDuration(ms, language) {
  const minutes = Math.floor(ms / 60000);
  const parts = [
    ["day", Math.floor(minutes / 1440)],
    ["hour", Math.floor(minutes / 60) % 24],
    ["minute", minutes % 60],
  ];
  const first = parts.findIndex(([, count]) => count > 0);
  const shown = first < 0 ? parts.slice(2) : parts.slice(first, first + 2);
  return shown
    .map(([unit, count]) =>
      new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(count),
    )
    .join(" ");
}

/**
 * Pause before the next attempt to connect: doubles from 1 s to at most 30 s, and of that a random
 * half to whole, so that a restarted server is not met by everybody at once.
 * @param {number} attempt 0 for the first
 * @param {number} random in [0, 1)
 * @returns {number} milliseconds
 */
export function reconnectDelay(attempt, random) {
  const ceiling = Math.min(30000, 1000 * 2 ** Math.min(attempt, 5));
  return Math.round(ceiling * (0.5 + random / 2));
}

/** What of a server's message concerns the page, or null for anything not of the protocol. */
export function readMessage(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (message === null || typeof message !== "object") return null;
  if (message.type === "welcome") return message;
  if (message.type === "change" || message.type === "refused") {
    return typeof message.topic === "string" ? message : null;
  }
  return null;
}

/**
 * Which day of a calendar by weeks a key leads to.
 * @param {number} index of the day that has the focus, the calendar's first day being 0; -1 for none
 * @param {string} key as the event names it
 * @returns {number} index of the day to go to; -1 where the key leads nowhere
 */
export function nextDay(index, key) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  if (index < 0) return -1;
  if (key === "Home") return index - (index % 7);
  if (key === "End") return index - (index % 7) + 6;
  return key in steps ? Math.max(index + steps[key], -1) : -1;
}

/** The name that is being typed at a place of a rule, and where it begins; inside quotes none. */
export function wordAt(text, place) {
  const before = text.slice(0, place);
  const word = /[A-Za-z_][A-Za-z0-9_.]*$/.exec(before)?.[0] ?? "";
  const quotes = (before.match(/"/g) ?? []).length;
  return quotes % 2 ? { word: "", start: place } : { word, start: place - word.length };
}

/** Numbers of the names that fit what was typed: those that begin so first, then those with it. */
export function matching(names, word, most) {
  const typed = word.toLowerCase();
  const at = names.map((name, number) => [name.toLowerCase().indexOf(typed), number]);
  return at
    .filter(([found, number]) => found >= 0 && names[number] !== word)
    .sort((one, other) => Math.min(one[0], 1) - Math.min(other[0], 1) || one[1] - other[1])
    .slice(0, most)
    .map(([, number]) => number);
}
