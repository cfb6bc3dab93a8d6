// Light, dark, or as the system: kept in this browser only.
const KEY = "portal-theme";

/** "light", "dark" or "system"; a browser that keeps nothing has "system". */
export function chosenTheme() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system";
  }
}

export function chooseTheme(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // private browsing: it holds for this page
  }
  showTheme(theme);
}

export function showTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
