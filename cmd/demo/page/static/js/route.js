// Who looks at what, kept in the address: #user=U…&channel=C…&thread=…&theme=dark. channel is an id,
// or "home" or "messages" for the app's tabs. theme, pane and guide are optional: without them the
// pane is open where there is room beside the conversation, and the guide where there is room above.

import { ui } from "./model.js";

// The same widths as in css/narrow.css.
export const narrow = matchMedia("(max-width: 760px)");
export const wide = matchMedia("(min-width: 1101px)");

export function readHash() {
  const p = new URLSearchParams(location.hash.slice(1));
  ui.user = p.get("user") || ui.user;
  ui.channel = p.get("channel") || ui.channel;
  ui.thread = p.get("thread") || "";
  ui.theme = p.get("theme") || "";
  ui.pane = (p.get("pane") || (wide.matches ? "open" : "closed")) !== "closed";
  ui.guide = (p.get("guide") || (narrow.matches ? "closed" : "open")) !== "closed";
  document.documentElement.dataset.theme = ui.theme || "auto";
}

function hash(change) {
  const was = new URLSearchParams(location.hash.slice(1));
  const next = { user: ui.user, channel: ui.channel, thread: ui.thread, theme: ui.theme, pane: was.get("pane"), guide: was.get("guide"), ...change };
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(next)) if (v) p.set(k, v);
  return "#" + p.toString();
}

/** The address with something changed. */
export const hrefFor = (change) => hash(change);

/** Goes there. */
export function go(change) {
  location.hash = hash(change);
}

/** Changes the address without a new step in the browser's history. */
export function settle(change) {
  history.replaceState(null, "", hash(change));
  readHash();
}
