// Light and dark: the system decides until the switch is used; `colours` reads the colours in force for canvases.
import { byId, make, put } from "./dom.js";
import { remember, remembered } from "./preferences.js";

const listeners = [];
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

export function startTheme() {
  const button = byId("theme");
  const chosen = remembered("theme", null);
  if (chosen) document.documentElement.dataset.theme = chosen;
  const tell = () => {
    put(button, isDark() ? "☀" : "☾", make("span", {}, isDark() ? " light" : " dark"));
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  };
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remember("theme", next);
    tell();
    listeners.forEach((listener) => listener());
  });
  system.addEventListener("change", () => {
    tell();
    listeners.forEach((listener) => listener());
  });
  tell();
}

export const whenThemeChanges = (listener) => listeners.push(listener);

/** The colours of the style sheet in force, as the browser resolved them, by name. */
export function colours(...names) {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

/** The same colour with another opacity; `colour` is rgb(...) or rgba(...). */
export function faint(colour, opacity) {
  const [red, green, blue] = colour.match(/[\d.]+/g);
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}
