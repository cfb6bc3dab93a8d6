// The patient's page: when another patient is chosen, the middle alone is swapped; the list beside
// it keeps its place, and only the mark of the chosen one moves.
document.addEventListener("htmx:afterSettle", () => {
  const main = document.getElementById("case-main");
  if (!main) return;
  for (const link of document.querySelectorAll(".case-others a[data-case]")) {
    if (link.dataset.case === main.dataset.case) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    const address = new URL(link.href);
    address.searchParams.set("tab", document.getElementById("case-tab").value);
    link.href = address.pathname + address.search;
  }
  const crumb = document.getElementById("case-crumb");
  if (crumb) crumb.textContent = main.dataset.number;
});
