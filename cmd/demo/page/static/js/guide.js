// The strip above everything: what this page is, and four steps to try.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./message.js";
import { store, ui } from "./model.js";
import { narrow, settle } from "./route.js";

export function guide(snap, redraw) {
  const flip = (what) => () => {
    settle({ [what]: ui[what] ? "closed" : "open" });
    redraw();
  };
  const dark = ui.theme === "dark" || (!ui.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  return [
    h(
      "div",
      { class: "strip-line" },
      h("strong", { "data-testid": "banner" }, "Simulated", h("span", { class: "spare" }, " workspace and AWS"), ". Nothing here reaches Slack or AWS."),
      store.offline && h("span", { class: "offline", role: "alert" }, "The demo does not answer. Is it still running?"),
      h("button", { type: "button", class: "strip-btn who", "aria-expanded": String(ui.side), "aria-controls": "side", "data-testid": "side-toggle", onclick: () => { ui.side = !ui.side; redraw(); } }, icon("menu"), snap.me && avatar(snap.me, 20), h("bdi", {}, snap.me ? snap.me.name : "Workspace")),
      h("span", { class: "grow" }),
      h("button", { type: "button", class: "strip-btn", "aria-expanded": String(ui.guide), "aria-controls": "try-this", "data-testid": "guide-toggle", onclick: flip("guide") }, "Try this", icon("caret", ui.guide ? "up" : "")),
      h("button", { type: "button", class: "strip-btn", "aria-pressed": String(dark), "data-testid": "theme-toggle", onclick: () => { settle({ theme: dark ? "light" : "dark" }); redraw(); } }, icon("moon"), h("span", { class: "sr-only" }, "Dark mode")),
      h("button", { type: "button", class: "strip-btn", "aria-pressed": String(ui.pane), "data-testid": "aws-toggle", onclick: flip("pane") }, icon("panel"), h("span", {}, h("span", { class: "spare" }, ui.pane ? "Hide " : "Show "), "AWS")),
    ),
    ui.guide && steps(snap),
  ];
}

function name(snap, test, or) {
  const u = snap.people.find((p) => !p.deleted && !p.guest && !p.is_stranger && test(p));
  return h("b", {}, u ? h("bdi", {}, u.name) : or);
}

function steps(snap) {
  const approvers = new Set([...snap.groups.values()].flatMap((g) => g.users || []));
  const requester = name(snap, (p) => (approvers.size ? !approvers.has(p.id) : false), "a requester");
  const approver = name(snap, (p) => approvers.has(p.id), "an approver");
  const owner = name(snap, (p) => (p.locale || "").startsWith("ko"), "the Korean-speaking owner");
  const items = [
    ["Find a key.", ["As ", requester, ", type ", h("code", {}, "/rootcheck"), " or scroll up to a card such as acme-archive, and press ", h("b", {}, "Block root user…")]],
    ["Confirm it.", ["Nobody acts alone: look as ", approver, narrow.matches ? " (press the name above) and press " : " (on the left) and press ", h("b", {}, "Confirm…"), " on the same card. The API calls are in the AWS pane."]],
    ["Watch, then delete.", ["Move the clock by ", h("b", {}, "+7 days"), " and ", h("b", {}, "+1 hour"), ". The card then offers ", h("b", {}, "Delete…"), ". Or use the key, and see the alarm."]],
    ["Help an owner.", ["Press ", h("b", {}, "Send MFA steps"), ". As ", owner, ", open ", h("b", {}, "Messages"), ", add a device in the AWS pane, press ", h("b", {}, "Done"), "."]],
  ];
  return h("ol", { class: "steps", id: "try-this", "data-testid": "guide" }, items.map(([title, text], i) => h("li", {}, h("span", { class: "n", "aria-hidden": "true" }, String(i + 1)), h("span", {}, h("b", {}, title), " ", text))));
}
