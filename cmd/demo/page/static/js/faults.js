// What goes wrong on order: Slack's connection, AWS for everybody, and a person's standing.

import { attempt, toast } from "./actions.js";
import { del } from "./api.js";
import { duration } from "./aws.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { store, ui } from "./model.js";
import { utc } from "./time.js";

const SLACK = [
  ["disconnect", "Drop the socket", "The connection is cut without a word"],
  ["refresh", "Refresh the socket", "Slack warns, asks to reconnect and closes, as it does every few hours"],
  ["half_open", "Half-open socket", "Nothing arrives any more, and nothing says so"],
  ["link_disabled", "Switch Socket Mode off", "The bot cannot come back until this ends"],
  ["http_500", "HTTP 500", "Slack's Web API answers errors"],
  ["rate_limit", "Rate limit", "Slack's Web API answers 429 with Retry-After"],
  ["slow", "Slow", "Slack's Web API takes its time"],
];

const AWS = [
  ["throttle", "Throttle", "Every call may be answered Throttling"],
  ["http_500", "HTTP 500", "AWS answers errors"],
  ["garbage", "Garbage", "AWS answers HTML"],
  ["slow", "Slow", "AWS takes its time"],
  ["feature_off", "Centralized root access off", "The organization's feature is switched off"],
];

const ACTIONS = ["sts:AssumeRoot", "sts:AssumeRole", "iam:GetAccountSummary", "iam:ListAccessKeys", "iam:DeleteAccessKey", "iam:UpdateAccessKey", "iam:ListMFADevices", "organizations:ListAccounts", "organizations:AttachPolicy", "organizations:DetachPolicy"];

export function faults(snap, redraw) {
  const action = ui.local.get("fault-action") || "";
  const lever = (prefix, path, body) => ([kind, label, what]) =>
    h("button", { key: prefix + kind, type: "button", class: "lever", "data-testid": `${prefix}-${kind}`, "data-kind": kind, onclick: () => attempt(path, order(kind, path, body)) }, h("b", {}, label), h("span", {}, what));
  return h(
    "div",
    { class: "aws-body scroll faults", key: "faults" },
    h("div", { class: "row" }, h("span", { class: "muted grow" }, "Each lasts"), duration(redraw)),
    active(redraw),
    h("h3", {}, "Slack"),
    h("div", { class: "lever-grid" }, SLACK.map(lever("slack-fault", "/control/slack/fault", {}))),
    h("div", { class: "levers" }, h("button", { type: "button", class: "btn tiny", "data-testid": "slack-fault-clear", onclick: () => attempt("/control/slack/fault", { kind: "clear" }) }, "End Slack’s faults")),
    h("h3", {}, "AWS, every account"),
    h("label", { class: "row" }, h("span", { class: "muted" }, "Only for"), h("span", { class: "select small grow" }, h("select", { "data-testid": "fault-action", "aria-label": "Action", onchange: (e) => { ui.local.set("fault-action", e.target.value); redraw(); } }, h("option", { value: "" }, "every action"), ACTIONS.map((a) => h("option", { value: a }, a))), icon("caret"))),
    h("div", { class: "lever-grid" }, [...(action ? [["deny", "Deny", "AccessDenied for this action"]] : []), ...AWS].map(lever("aws-fault", "/control/aws/fault", action ? { action } : {}))),
    h("h3", {}, "People"),
    h("p", { class: "muted" }, snap.me ? ["For ", h("bdi", {}, snap.me.name), ", as whom you are looking:"] : ""),
    snap.me &&
      h(
        "div",
        { class: "levers" },
        toggle(snap.me, "deactivated", snap.me.deleted, "Deactivate", "Reactivate"),
        toggle(snap.me, "guest", snap.me.guest, "Make a guest", "Make a full member"),
        [...snap.groups.values()].map((g) => membership(g, snap.me)),
      ),
  );
}

// Some faults happen once and take no duration; for a refresh "for" would be the time of the warning.
function order(kind, path, body) {
  if (path.includes("slack")) return /^(refresh|half_open)$/.test(kind) ? { kind } : { kind, for: ui.aws.faultFor };
  return { ...body, kind, for: ui.aws.faultFor, ...(kind === "slow" ? { delay: "5s" } : {}) };
}

// What is on order in AWS now, with a way to end it.
function active(redraw) {
  const list = (store.aws && store.aws.organization && store.aws.organization.faults) || [];
  if (!list.length) return null;
  const end = async () => {
    try {
      await del("/control/aws/fault");
    } catch (err) {
      toast(err.message);
    }
    redraw();
  };
  return h(
    "div",
    { class: "active-faults" },
    list.map((f) => h("div", { key: f.id, class: "row", "data-testid": "active-fault", "data-kind": f.kind }, h("b", {}, f.kind), h("span", { class: "grow" }, [f.account, f.action].filter(Boolean).join(" ") || "everywhere"), h("span", { class: "muted" }, f.until ? "until " + utc(f.until, true).slice(11) : ""))),
    h("button", { type: "button", class: "btn tiny", "data-testid": "aws-fault-clear", onclick: end }, "End AWS’s faults"),
  );
}

function toggle(me, field, on, yes, no) {
  return h("button", { type: "button", class: "btn tiny", "data-testid": "person-" + field, onclick: () => attempt("/control/slack/person", { user: me.id, [field]: !on }) }, on ? no : yes);
}

function membership(g, me) {
  const isIn = (g.users || []).includes(me.id);
  const mine = [...new Set([...(me.groups || []), ...(isIn ? [g.id] : [])])];
  const next = isIn ? mine.filter((id) => id !== g.id) : [...mine, g.id];
  return h("button", { key: g.id, type: "button", class: "btn tiny", "data-testid": "person-group", "data-group-id": g.id, onclick: () => attempt("/control/slack/person", { user: me.id, groups: next }) }, (isIn ? "Leave @" : "Join @") + (g.handle || g.name));
}
