// The tail of AWS API calls, newest first.

import { toast } from "./actions.js";
import { del } from "./api.js";
import { chip } from "./aws.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { store, ui } from "./model.js";
import { utc } from "./time.js";

const SHOWN = 200;
const READS = /^(Get|List|Describe|Generate|Lookup|Assume|Simulate|Decode|Head)/;

const FILTERS = [
  ["all", "All", () => true],
  ["reads", "Reads", (c) => !isChange(c)],
  ["changes", "Changes", isChange],
  ["refused", "Refused", (c) => !succeeded(c)],
];

function isChange(c) {
  return !!c.effect || !READS.test(c.action || "");
}

const succeeded = (c) => /^(ok|success|succeeded|200|)$/i.test(String(c.outcome ?? ""));

export function calls(redraw) {
  const a = ui.aws;
  const test = (FILTERS.find(([id]) => id === a.callFilter) || FILTERS[0])[2];
  const q = a.callQuery.trim().toLowerCase();
  const list = store.calls || [];
  const found = [];
  for (let i = list.length - 1; i >= 0 && found.length < SHOWN; i--) {
    const c = list[i];
    if (test(c) && (!q || JSON.stringify(c).toLowerCase().includes(q))) found.push([i, c]);
  }
  const empty = async () => {
    try {
      await del("/control/aws/calls");
      store.calls = [];
    } catch (err) {
      toast(err.message);
    }
    redraw();
  };
  return h(
    "div",
    { class: "aws-body", key: "calls" },
    h(
      "div",
      { class: "aws-tools" },
      h("label", { class: "search" }, icon("search"), h("input", { type: "search", value: a.callQuery, placeholder: "Account, action, principal", "aria-label": "Search calls", "data-testid": "calls-search", oninput: (e) => { a.callQuery = e.target.value; redraw(); } })),
      h("div", { class: "chips", role: "group", "aria-label": "Filter calls" }, FILTERS.map(([id, label]) => chip("calls-filter-" + id, label, a.callFilter === id, () => { a.callFilter = id; redraw(); })), h("span", { class: "grow" }), h("span", { class: "muted" }, list.length < 1000 ? String(list.length) : "last 1,000"), h("button", { type: "button", class: "btn tiny", "data-testid": "calls-clear", onclick: empty }, "Empty")),
    ),
    h(
      "div",
      { class: "scroll aws-list calls", role: "log", "aria-live": "off", "aria-label": "API calls", "data-testid": "calls" },
      found.map(([i, c]) => row(i, c)),
      found.length === 0 && h("p", { class: "nothing" }, list.length ? "No call matches." : "No call yet."),
    ),
  );
}

function row(i, c) {
  const bad = !succeeded(c);
  return h(
    "div",
    { key: c.request_id || (c.at || "") + i, class: "call" + (bad ? " refused" : "") + (isChange(c) ? " change" : ""), "data-testid": "call", "data-action": c.action, "data-account": c.account, "data-outcome": c.outcome, title: [c.principal, c.target, c.region, c.fault && `made to fail: ${c.fault}`, utc(c.at, true) + " UTC"].filter(Boolean).join("\n") },
    h("time", {}, utc(c.at, true).slice(11)),
    h("span", { class: "what" }, h("span", { class: "svc" }, c.service, ":"), h("b", {}, c.action)),
    h("code", {}, c.account || ""),
    h("span", { class: "who" }, h("bdi", {}, short(c.principal))),
    h("span", { class: "outcome" }, bad ? String(c.outcome) : "OK"),
  );
}

function short(p) {
  const s = String(p || "");
  const m = /^arn:[^:]+:(?:iam|sts)::(\d+)?:(.+)$/.exec(s);
  return m ? m[2].replace(/^assumed-role\//, "") : s;
}
