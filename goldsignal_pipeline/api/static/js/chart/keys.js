// The chart by keyboard: arrows pan, plus and minus zoom, N and P walk through the signals, Enter explains the chosen one.
import { seconds } from "../format.js";

export function startKeys(element, view, signals, explain) {
  const walk = (by) => {
    const all = signals();
    if (!all.length) return;
    const at = all.findIndex((signal) => signal.id === view.trades.chosen);
    const next = at === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    view.trades.chosen = all[next].id;
    view.reveal(seconds(all[next].timestamp), seconds(all[next].ended_at ?? all[next].deadline));
    view.trades.refresh();
  };
  const actions = {
    ArrowLeft: () => view.pan(-10), ArrowRight: () => view.pan(10), "+": () => view.zoom(0.8), "=": () => view.zoom(0.8), "-": () => view.zoom(1.25),
    n: () => walk(1), p: () => walk(-1),
    Enter: () => {
      const chosen = signals().find((signal) => signal.id === view.trades.chosen);
      if (chosen) explain(chosen);
    },
  };
  element.addEventListener("keydown", (event) => {
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
}
