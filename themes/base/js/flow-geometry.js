// Where the flow editor's boxes and ways stand while they are dragged. Pure: no document. The server
// draws all of it anew as soon as something is let go (portal/flows/rules/drawing.py).

export const STEP = 8;
export const FARTHEST = 10000;

/** A place on the grid, inside the picture. */
export function snapped(x, y) {
  const onGrid = (value) => Math.min(FARTHEST, Math.max(0, Math.round(value / STEP) * STEP));
  return [onGrid(x), onGrid(y)];
}

/** Where an arrow key moves a box, two steps at a time, or null for another key. */
export function nudged(box, key) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const way = ways[key];
  return way ? snapped(box.x + way[0] * STEP * 2, box.y + way[1] * STEP * 2) : null;
}

/** The state whose box holds the point; the last drawn lies on top. */
export function stateAt(boxes, x, y) {
  const within = (box) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
  return boxes.findLast(within)?.state ?? null;
}

/** The `d` of a way between two boxes, from the sides that face each other; of one box an ear. */
export function way(from, to) {
  const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
  if (from.state === to.state) {
    const [right, y] = [from.x + from.width, from.y];
    return `M ${right} ${y + 12} C ${right + 28} ${y + 12} ${right + 28} ${y + from.height - 12} ${right} ${y + from.height - 12}`;
  }
  const [x, y] = middle(from);
  const [toX, toY] = middle(to);
  if (Math.abs(toY - y) >= from.height + 16) {
    const down = toY > y ? 1 : -1;
    const [top, bottom] = [y + (down * from.height) / 2, toY - (down * to.height) / 2];
    const half = (bottom - top) / 2;
    return `M ${x} ${top} C ${x} ${top + half} ${toX} ${bottom - half} ${toX} ${bottom}`;
  }
  const right = toX >= x ? 1 : -1;
  const [left, end] = [x + (right * from.width) / 2, toX - (right * to.width) / 2];
  const half = (end - left) / 2;
  return `M ${left} ${y} C ${left + half} ${y} ${end - half} ${toY} ${end} ${toY}`;
}

/** The text with a name put in at the caret, apart from the words beside it; and the caret after. */
export function inserted(text, at, name) {
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const lead = before && !/[\s(]$/.test(before) ? " " : "";
  const trail = after && !/^[\s)]/.test(after) ? " " : "";
  return { text: before + lead + name + trail + after, caret: (before + lead + name).length };
}
