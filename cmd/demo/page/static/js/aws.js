// The AWS pane: the organization, each account's root user, and what happens outside the bot. It
// speaks of the simulated AWS only and shows it as it is, not as the bot last read it.

import { attempt, toast } from "./actions.js";
import { calls } from "./calls.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { faults } from "./faults.js";
import { store, ui } from "./model.js";
import { ago, utc } from "./time.js";

const SHOWN = 50;
const KINDS = { virtual: "Authenticator app", passkey: "Passkey or security key", hardware: "Hardware token" };

export function awsPane(snap, redraw) {
  const a = ui.aws;
  const tab = (id, label) => h("button", { type: "button", role: "tab", class: "tab", "aria-selected": String(a.tab === id), "data-testid": "aws-tab-" + id, onclick: () => { a.tab = id; redraw(); } }, label);
  return h(
    "aside",
    { class: "aws", "aria-label": "Simulated AWS", "data-testid": "aws-pane" },
    h("header", { class: "aws-head" }, h("h1", {}, "AWS", h("span", { class: "sim" }, "simulated")), organization(), h("span", { class: "grow" })),
    clockRow(redraw),
    h("div", { class: "tabs aws-tabs", role: "tablist" }, tab("accounts", "Accounts"), tab("calls", "API calls"), tab("faults", "Make things fail")),
    !store.aws && a.tab !== "faults" ? h("p", { class: "nothing" }, "Waiting for the organization…") : a.tab === "calls" ? calls(redraw) : a.tab === "faults" ? faults(snap, redraw) : accounts(snap, redraw),
  );
}

function organization() {
  const o = (store.aws && store.aws.organization) || null;
  if (!o || !o.id) return null;
  const f = o.features || {};
  const has = (n) => (Array.isArray(f) ? f.includes(n) : !!f[n]);
  const central = has("RootCredentialsManagement") && has("RootSessions");
  return h("span", { class: "org", title: JSON.stringify(o, null, 1) }, h("code", {}, o.id), h("span", { class: "pill " + (central ? "good" : "warn") }, central ? "centralized root access" : "root access not centralized"));
}

function clockRow(redraw) {
  const at = store.aws && store.aws.clock;
  const move = (by, label) =>
    h("button", { type: "button", class: "btn tiny", disabled: ui.aws.busy === "clock", "data-testid": "clock-" + by, "data-advance": by, onclick: async () => {
      ui.aws.busy = "clock";
      redraw();
      const answer = await attempt("/control/clock", { advance: by });
      ui.aws.busy = "";
      if (answer && answer.settled === false) toast("The clock has moved; the bot is still busy with what fell due.", "info");
      redraw();
    } }, label);
  return h(
    "div",
    { class: "clock-row" },
    icon("clock"),
    h("time", { "data-testid": "clock", datetime: at, title: at ? `The simulated clock: ${utc(at, true)} UTC` : "The simulated clock" }, at ? utc(at) + " UTC" : "…"),
    h("span", { class: "grow" }),
    ui.aws.busy === "clock" && h("span", { class: "spinner", role: "status", "aria-label": "Moving the clock" }),
    move("1h", "+1 hour"),
    move("24h", "+1 day"),
    move("168h", "+7 days"),
  );
}

const FILTERS = [
  ["all", "All", () => true],
  ["keys", "Has a key", (a) => keysOf(a).length > 0],
  ["nomfa", "No MFA", (a) => !mfaOf(a).length && hasCredentials(a)],
  ["blocked", "Blocked", (a) => !!(a.quarantined || a.blocked)],
];

const rootOf = (a) => a.root || {};
const keysOf = (a) => rootOf(a).keys || [];
const mfaOf = (a) => rootOf(a).mfa || [];
const certsOf = (a) => rootOf(a).certificates || [];
const hasCredentials = (a) => !!rootOf(a).password || keysOf(a).length > 0;

function accounts(snap, redraw) {
  const a = ui.aws;
  const all = store.aws.accounts || [];
  const q = a.query.trim().toLowerCase();
  const test = (FILTERS.find(([id]) => id === a.filter) || FILTERS[0])[2];
  const found = [];
  let total = 0;
  for (const acc of all) {
    if (!test(acc) || (q && !matches(acc, q))) continue;
    total++;
    if (found.length < SHOWN) found.push(acc);
  }
  return h(
    "div",
    { class: "aws-body", key: "accounts" },
    h(
      "div",
      { class: "aws-tools" },
      h("label", { class: "search" }, icon("search"), h("input", { type: "search", value: a.query, placeholder: `Search ${all.length.toLocaleString("en")} accounts, keys, owners`, "aria-label": "Search accounts", "data-testid": "aws-search", oninput: (e) => { a.query = e.target.value; redraw(); } })),
      h("div", { class: "chips", role: "group", "aria-label": "Filter accounts" }, FILTERS.map(([id, label]) => chip("aws-filter-" + id, label, a.filter === id, () => { a.filter = id; redraw(); }))),
    ),
    h(
      "div",
      { class: "scroll aws-list", "data-testid": "accounts" },
      found.map((acc) => account(acc, snap, redraw)),
      total > found.length && h("p", { class: "nothing", "data-testid": "more-accounts" }, `The first ${SHOWN} of ${total.toLocaleString("en")}. Search to see others.`),
      total === 0 && h("p", { class: "nothing" }, "No account matches."),
    ),
  );
}

function matches(a, q) {
  if (a.id.includes(q) || (a.name || "").toLowerCase().includes(q) || (a.email || "").toLowerCase().includes(q)) return true;
  return keysOf(a).some((k) => k.id.toLowerCase().includes(q)) || Object.values(a.tags || {}).some((v) => String(v).toLowerCase().includes(q));
}

export function chip(testid, label, on, run) {
  return h("button", { type: "button", class: "chip" + (on ? " on" : ""), "aria-pressed": String(on), "data-testid": testid, onclick: run }, label);
}

function account(a, snap, redraw) {
  const open = ui.aws.open.has(a.id);
  const toggle = () => { if (open) ui.aws.open.delete(a.id); else ui.aws.open.add(a.id); redraw(); };
  return h(
    "article",
    { key: a.id, class: "account" + (open ? " open" : ""), "data-testid": "account", "data-account-id": a.id },
    h(
      "button",
      { type: "button", class: "account-head", "aria-expanded": String(open), "data-testid": "account-toggle", "data-account-id": a.id, onclick: toggle },
      icon("caret", open ? "" : "right"),
      h("span", { class: "grow" }, h("span", { class: "a-name" }, h("bdi", {}, a.name)), h("code", { class: "a-id" }, a.id)),
      h("span", { class: "a-marks" }, marks(a)),
    ),
    open && detail(a, snap, redraw),
  );
}

function isManagement(a) {
  const o = (store.aws && store.aws.organization) || {};
  return a.management || a.id === (o.management_account || o.management_account_id);
}

function marks(a) {
  const out = [];
  if (isManagement(a)) out.push(pill("plain", "management"));
  if (a.state && a.state !== "ACTIVE") out.push(pill("bad", a.state.toLowerCase()));
  if (a.member === false && !isManagement(a)) out.push(pill("plain", "stand-alone"));
  if (a.denies) out.push(pill("bad", "denies access"));
  if (a.quarantined) out.push(pill("warn", "blocked"));
  else if (a.blocked) out.push(pill("warn", "blocked by SCP"));
  const keys = keysOf(a);
  const live = keys.filter((k) => k.status === "Active").length;
  if (keys.length) out.push(pill(live ? "bad" : "warn", `${keys.length} ${keys.length === 1 ? "key" : "keys"}${live ? "" : " inactive"}`));
  if (certsOf(a).length) out.push(pill("warn", "certificate"));
  if (mfaOf(a).length) out.push(pill("good", mfaOf(a).length > 1 ? `${mfaOf(a).length} MFA` : "MFA"));
  else if (hasCredentials(a)) out.push(pill("bad", "no MFA"));
  else out.push(pill("good", "no credentials"));
  return out;
}

const pill = (cls, text) => h("span", { class: "pill " + cls }, text);

function lever(testid, label, run, extra = {}) {
  const { cls = "", ...attrs } = extra;
  return h("button", { type: "button", class: "btn tiny " + cls, "data-testid": testid, ...attrs, onclick: run }, label);
}

function detail(a, snap, redraw) {
  const key = (id, what) => attempt("/control/aws/key", id ? { account: a.id, key_id: id, do: what } : { account: a.id, do: what });
  const mfa = (kind, what, serial) => attempt("/control/aws/mfa", { account: a.id, kind, do: what, ...(serial ? { serial } : {}) });
  const fault = (kind) => attempt("/control/aws/fault", { account: a.id, kind, for: ui.aws.faultFor, ...(kind === "slow" ? { delay: "5s" } : {}) });
  const signIn = async () => {
    const answer = await attempt("/control/aws/sign-in", { account: a.id });
    if (answer) toast(answer.blocked ? "Signed in as root; everything they then try is denied." : "Somebody signed in as root.", "info");
  };
  const use = async (k) => {
    const answer = await attempt("/control/aws/use-key", { key_id: k.id });
    if (answer && answer.denied) toast(`The request was denied: ${answer.because}.`, "info");
  };
  const tags = Object.entries(a.tags || {});
  return h(
    "div",
    { class: "account-body" },
    h("h3", {}, "Root access keys"),
    keysOf(a).length === 0 && h("p", { class: "muted" }, "None"),
    keysOf(a).map((k) =>
      h(
        "div",
        { key: k.id, class: "key", "data-testid": "key", "data-key-id": k.id, "data-status": k.status },
        h("div", { class: "key-line" }, h("span", { class: "dot " + (k.status === "Active" ? "bad" : "off") }), h("code", {}, k.id), pill(k.status === "Active" ? "bad" : "plain", k.status)),
        h("div", { class: "muted" }, `Created ${utc(k.created).slice(0, 10)}`, " · ", lastUsed(k, snap.now)),
        k.visible_status !== undefined && k.visible_status !== k.status && h("div", { class: "muted" }, `AWS still shows it as ${k.visible_status || "absent"}`),
        h(
          "div",
          { class: "levers" },
          lever("use-key", "Use it", () => use(k), { "data-key-id": k.id, title: "Somebody signs a request with this key" }),
          k.status === "Active" ? lever("key-deactivate", "Deactivate", () => key(k.id, "deactivate"), { "data-key-id": k.id }) : lever("key-activate", "Activate", () => key(k.id, "activate"), { "data-key-id": k.id }),
          lever("key-delete", "Delete", () => key(k.id, "delete"), { "data-key-id": k.id, cls: "danger-text" }),
        ),
      ),
    ),
    h("div", { class: "levers" }, lever("key-create", "Create a key", () => key("", "create"), { "data-account-id": a.id, disabled: keysOf(a).length >= 2 })),
    h("h3", {}, "MFA devices"),
    mfaOf(a).length === 0 && h("p", { class: "muted" }, "None"),
    mfaOf(a).map((m) => h("div", { key: m.serial, class: "mfa", "data-testid": "mfa-device", "data-kind": m.kind, "data-serial": m.serial }, h("span", { class: "dot good" }), h("span", { class: "grow" }, KINDS[m.kind] || m.kind, h("code", { class: "serial", title: m.serial }, m.serial)), lever("mfa-remove", "Remove", () => mfa(m.kind, "remove", m.serial), { "data-kind": m.kind }))),
    h("div", { class: "levers" }, h("span", { class: "muted" }, "Register:"), Object.entries({ passkey: "Passkey", virtual: "Authenticator", hardware: "Token" }).map(([kind, label]) => lever("mfa-add-" + kind, label, () => mfa(kind, "add"), { "data-account-id": a.id, "data-kind": kind }))),
    h(
      "dl",
      { class: "facts" },
      fact("Password", h("span", { class: "row" }, rootOf(a).password ? "set" : "none", rootOf(a).password && lever("sign-in", "Sign in as root", signIn, { "data-account-id": a.id }))),
      fact("Certificates", certsOf(a).length ? certsOf(a).map((c) => (typeof c === "string" ? c : c.id || c.certificate_id)).join(", ") : "none"),
      fact("Root user", a.quarantined ? "blocked by the quarantine policy" : a.blocked ? "blocked by another policy" : "not blocked"),
      fact("Email", h("bdi", {}, a.email || "–")),
      a.unit && fact("Unit", h("bdi", {}, a.unit)),
      Object.keys(a.contacts || {}).length > 0 && fact("Contacts", h("bdi", {}, Object.entries(a.contacts).map(([k, v]) => `${k.toLowerCase()} ${v}`).join(", "))),
      a.state && fact("State", a.state),
      tags.length > 0 && fact("Tags", h("bdi", {}, tags.map(([k, v]) => `${k}=${v}`).join(", "))),
    ),
    h("h3", {}, "Make this account"),
    h(
      "div",
      { class: "levers" },
      [["deny", "Deny access"], ["scp_deny", "Deny by SCP"], ["throttle", "Throttle"], ["slow", "Slow"], ["http_500", "HTTP 500"], ["garbage", "Garbage"], ["suspend", "Suspended"], ["detach_scp", "Lose its block"]].map(([kind, label]) => lever("fault-" + kind, label, () => fault(kind), { "data-account-id": a.id, "data-kind": kind })),
      duration(redraw),
    ),
  );
}

/** How long a fault lasts. */
export function duration(redraw) {
  const choices = { "30s": "for 30 s", "5m": "for 5 min", "1h": "for 1 hour", "24h": "for a day" };
  return h("span", { class: "select small" }, h("select", { "aria-label": "How long", "data-testid": "fault-for", onchange: (e) => { ui.aws.faultFor = e.target.value; redraw(); } }, Object.entries(choices).map(([v, l]) => h("option", { value: v, selected: v === ui.aws.faultFor }, l))), icon("caret"));
}

const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];

function lastUsed(k, now) {
  const used = k.last_used && typeof k.last_used === "object" ? k.last_used : { at: k.last_used, service: k.service || k.last_used_service, region: k.region || k.last_used_region };
  if (!used.at || used.at.startsWith("0001")) return "never used";
  const where = [used.service, used.region].filter((x) => x && x !== "N/A").join(" in ");
  return h("span", { title: utc(used.at, true) + " UTC" }, `last used ${ago(Date.parse(used.at), now)}${where ? " for " + where : ""}`);
}
