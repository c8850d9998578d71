// What goes wrong on order: Slack's connection, AWS for everybody, and a person's standing.

import { attempt } from "./actions.js";
import { duration } from "./aws.js";
import { h } from "./dom.js";
import { ui } from "./model.js";

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
    h("button", { key: prefix + kind, type: "button", class: "lever", "data-testid": `${prefix}-${kind}`, "data-kind": kind, onclick: () => attempt(path, { ...body, kind, for: ui.aws.faultFor }) }, h("b", {}, label), h("span", {}, what));
  return h(
    "div",
    { class: "aws-body scroll faults", key: "faults" },
    h("div", { class: "row" }, h("span", { class: "muted grow" }, "Each lasts"), duration(redraw)),
    h("h3", {}, "Slack"),
    h("div", { class: "lever-grid" }, SLACK.map(lever("slack-fault", "/control/slack/fault", {}))),
    h("h3", {}, "AWS, every account"),
    h("label", { class: "row" }, h("span", { class: "muted" }, "Only for"), h("span", { class: "select small grow" }, h("select", { "data-testid": "fault-action", "aria-label": "Action", onchange: (e) => { ui.local.set("fault-action", e.target.value); redraw(); } }, h("option", { value: "" }, "every action"), ACTIONS.map((a) => h("option", { value: a }, a))))),
    h("div", { class: "lever-grid" }, [...(action ? [["deny", "Deny", "AccessDenied for this action"]] : []), ...AWS].map(lever("aws-fault", "/control/aws/fault", { action: action || "*" }))),
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

function toggle(me, field, on, yes, no) {
  return h("button", { type: "button", class: "btn tiny", "data-testid": "person-" + field, onclick: () => attempt("/control/slack/person", { user: me.id, [field]: !on }) }, on ? no : yes);
}

function membership(g, me) {
  const isIn = (g.users || []).includes(me.id);
  const mine = [...new Set([...(me.groups || []), ...(isIn ? [g.id] : [])])];
  const next = isIn ? mine.filter((id) => id !== g.id) : [...mine, g.id];
  return h("button", { key: g.id, type: "button", class: "btn tiny", "data-testid": "person-group", "data-group-id": g.id, onclick: () => attempt("/control/slack/person", { user: me.id, groups: next }) }, (isIn ? "Leave @" : "Join @") + (g.handle || g.name));
}
