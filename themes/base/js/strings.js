/** A sentence of the page's language, from #ui-strings; "" where the page has none. */
export function string(name) {
  return document.getElementById("ui-strings")?.dataset[name] ?? "";
}
