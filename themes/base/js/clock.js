// Texts that change with time: countdowns to a deadline, and activity that decays.
import { activityAt, formatDuration, formatNumber } from "./rules.js";
import { string } from "./strings.js";

const EVERY_MS = 30000;

// The server's clock counts, not the workstation's: the difference is taken once at load.
const served = Date.parse(document.querySelector('meta[name="portal-now"]')?.content ?? "");
const offset = Number.isNaN(served) ? 0 : served - Date.now();

/** Now by the server's clock, in ms since 1970. */
export const serverNow = () => Date.now() + offset;

function showCountdown(element, now, language) {
  const left = Date.parse(element.dataset.countdownTo) - now;
  if (Number.isNaN(left)) return;
  element.textContent =
    left > 0 ? formatDuration(left, language) : (element.dataset.countdownPassed ?? string("passed"));
  element.classList.toggle("is-passed", left <= 0);
}

function showActivity(element, now, language) {
  const { activityMbq, measuredAt, halfLifeS, decimals } = element.dataset;
  const activity = activityAt(Number(activityMbq), Date.parse(measuredAt), Number(halfLifeS), now);
  if (Number.isFinite(activity)) {
    element.textContent = formatNumber(activity, language, Number(decimals ?? 0));
  }
}

export function showTimes(root = document) {
  const now = serverNow();
  const language = document.documentElement.lang || "en";
  const each = (selector, show) => {
    if (root.matches?.(selector)) show(root, now, language);
    for (const element of root.querySelectorAll(selector)) show(element, now, language);
  };
  each("[data-countdown-to]", showCountdown);
  each("[data-activity-mbq]", showActivity);
}

export function startClock() {
  showTimes();
  setInterval(showTimes, EVERY_MS);
  document.addEventListener("htmx:load", (event) => showTimes(event.detail.elt));
  document.addEventListener("visibilitychange", () => document.hidden || showTimes());
}
