// The viewer's arithmetic, without a browser.

const STEPS = [1, 2, 5];

/** The longest round length (1, 2, 5 × 10ⁿ µm) that is at most `mostPx` wide on the screen. */
export function scaleBar(micronsPerScreenPixel, mostPx = 160) {
  if (!(micronsPerScreenPixel > 0) || !Number.isFinite(micronsPerScreenPixel)) return null;
  const most = micronsPerScreenPixel * mostPx;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = STEPS.findLast((each) => each * power <= most * (1 + 1e-9)) ?? 1;
  const microns = step * power;
  return { microns, px: microns / micronsPerScreenPixel, label: inWords(microns) };
}

function inWords(microns) {
  const [value, unit] = microns >= 1000 ? [microns / 1000, "mm"] : [microns, "µm"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** Call `send` with the last value given, at most once in `everyMs`, the last one included. */
export function throttled(send, everyMs, { now = () => performance.now(), later = setTimeout } = {}) {
  let last = -Infinity;
  let waiting = false;
  let value;
  const fire = () => {
    waiting = false;
    last = now();
    send(value);
  };
  return (given) => {
    value = given;
    if (waiting) return;
    const wait = last + everyMs - now();
    if (wait <= 0) {
      fire();
    } else {
      waiting = true;
      later(fire, wait);
    }
  };
}

/** Whether two views show the same, so that following does not answer its own movement. */
export function sameView(one, other) {
  return (
    one !== null &&
    other !== null &&
    ["x", "y", "zoom", "rotation"].every((name) => Math.abs(one[name] - other[name]) < 1e-6)
  );
}
