// Elements by one call: `make("p", {class: "soft"}, "text", child)`. Text is always text, never markup.
export const byId = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function put(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

/** A table with a caption for screen readers; columns are [title, whether it holds numbers]. */
export function table(caption, columns, rows) {
  const kind = (index) => (columns[index][1] ? "number" : null);
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", {},
      make("caption", { class: "out-of-sight" }, caption),
      make("thead", {}, make("tr", {}, columns.map(([title], index) => make("th", { scope: "col", class: kind(index) }, title)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, index) => make("td", { class: kind(index) }, cell ?? "–")))))));
}
