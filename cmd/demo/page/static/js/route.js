// Who looks at what, kept in the address: #user=U…&channel=C…&thread=…&theme=dark. channel is an id,
// or "home" or "messages" for the app's tabs; theme and pane=closed are optional.

import { ui } from "./model.js";

export function readHash() {
  const p = new URLSearchParams(location.hash.slice(1));
  ui.user = p.get("user") || ui.user;
  ui.channel = p.get("channel") || ui.channel;
  ui.thread = p.get("thread") || "";
  ui.theme = p.get("theme") || "";
  ui.pane = p.get("pane") !== "closed";
  ui.guide = p.get("guide") !== "closed";
  document.documentElement.dataset.theme = ui.theme || "auto";
}

function hash(change) {
  const next = { user: ui.user, channel: ui.channel, thread: ui.thread, theme: ui.theme, pane: ui.pane ? "" : "closed", guide: ui.guide ? "" : "closed", ...change };
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
