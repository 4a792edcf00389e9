// What is wrong or unusual, in words, above the page; each kind stands there once.
import { useToken } from "./api.js";
import { byId, make } from "./dom.js";

export function notice(kind, text, tone = "bad") {
  let line = document.querySelector(`[data-notice="${kind}"]`);
  if (!text) {
    line?.remove();
    return;
  }
  if (!line) {
    line = make("div", { "data-notice": kind });
    byId("notices").append(line);
  }
  line.className = `notice ${tone}`;
  line.textContent = text;
}

/** Ask for the token of the API; the page is loaded again with it. */
export function askForToken() {
  if (document.querySelector('[data-notice="token"]')) return;
  const field = make("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const form = make("form", { class: "notice good", "data-notice": "token", onsubmit: (event) => {
    event.preventDefault();
    useToken(field.value.trim());
    location.reload();
  } }, make("label", { for: "token" }, "Token of the API: "), field, " ", make("button", {}, "Use it"));
  byId("notices").append(form);
}

/** Tell a failure; a refusal for want of a token asks for one. */
export function tellFailure(kind, error) {
  if (error.status === 401) askForToken();
  notice(kind, error.message);
}
