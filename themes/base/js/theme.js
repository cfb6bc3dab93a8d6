// Runs before the page is painted, so that a chosen light or dark never flashes the other one.
import { chosenTheme, showTheme } from "./theme_choice.js";

showTheme(chosenTheme());
