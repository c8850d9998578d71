// The page of the demo: a simulated Slack workspace beside a simulated AWS. It stands only on the
// control API (GET /control/slack/state, GET /control/aws/state, …) and keeps nothing itself except
// what a browser tab remembers: drafts, scroll, which account is unfolded.
//
// What tests and scripts can hold on to. The address says who looks at what, and changing it is enough:
//
//   #user=U…&channel=C…        channel is a channel id, "home" (the app's Home tab) or "messages" (the
//                              DM with the app); &thread=<ts> opens a thread, &pane=open|closed and
//                              &guide=open|closed show or hide the AWS pane and the guide, &theme=dark|light
//
// Attributes, all stable:
//
//   <html data-ready="true" data-rev="n">              set after the first drawing of the state
//   [data-testid=side-toggle]                          on a narrow screen: the sidebar, and who looks
//   [data-testid=user][data-user-id=U…]                entry of the user switcher, aria-pressed
//   [data-testid=channel][data-channel-id=C…]          channel in the sidebar, aria-current
//   [data-testid=app-home] [data-testid=app-messages]  the app's entries in the sidebar
//   [data-testid=message][data-ts][data-channel][data-user-id][data-ephemeral=true]
//   [data-testid=only-visible-to-you] [data-testid=edited]
//   [data-testid=open-thread][data-ts] [data-testid=reply] [data-testid=thread][data-ts] [data-testid=close-thread]
//   [data-testid=composer-input] [data-testid=thread-input] [data-testid=send] [data-testid=command-hint][data-command]
//   [data-block-id][data-block-type]                   every block
//   [data-action-id][data-block-id][data-type]         every interactive element; buttons add data-value
//                                                      and data-testid=bk-button; selects hold a <select>,
//                                                      text inputs an <input> or <textarea>, radio buttons
//                                                      and checkboxes <input data-value>
//   [data-testid=overflow] [data-testid=overflow-option][data-value]
//   [data-testid=modal][data-view-id][data-callback-id][data-top=true]
//   [data-testid=modal-title|modal-submit|modal-close|modal-x|modal-back] [data-testid=field-error][data-block-id]
//   [data-testid=confirm] [data-testid=confirm-ok] [data-testid=confirm-deny]
//   [data-testid=home][data-view-id] [data-testid=toast] [data-testid=table-next|table-prev]
//   [data-testid=aws-pane] [data-testid=aws-toggle] [data-testid=aws-tab-accounts|aws-tab-calls|aws-tab-faults]
//   [data-testid=aws-search] [data-testid=aws-filter-all|keys|nomfa|blocked]
//   [data-testid=account][data-account-id] [data-testid=account-toggle][data-account-id]
//   [data-testid=key][data-key-id][data-status]        and its levers use-key, key-activate, key-deactivate,
//                                                      key-delete, each with data-key-id; key-create
//   [data-testid=mfa-device][data-kind][data-serial]   and mfa-remove; mfa-add-passkey|virtual|hardware
//   [data-testid=sign-in][data-account-id]             somebody signs in as root
//   [data-testid=fault-<kind>][data-account-id]        one account; aws-fault-<kind>, slack-fault-<kind> for all,
//                                                      fault-for and fault-action hold their <select>s;
//                                                      active-fault[data-kind], aws-fault-clear, slack-fault-clear
//   [data-testid=person-deactivated|person-guest|person-group]   the standing of whom one looks as
//   [data-testid=clock] [data-testid=clock-1h|clock-24h|clock-168h]
//   [data-testid=call][data-action][data-account][data-outcome] [data-testid=calls-filter-reads|changes|refused]
//
// The button of one card: [data-testid=messages] [data-ts="…"] [data-action-id="…"]. An open thread shows
// its first message a second time, under [data-testid=thread].

import { dismiss, openHome, wire } from "./actions.js";
import { poller } from "./api.js";
import { awsPane } from "./aws.js";
import { workspace } from "./conversation.js";
import { h, render } from "./dom.js";
import { guide } from "./guide.js";
import { icon } from "./icons.js";
import { dialogs } from "./modal.js";
import { markRead, snapshot, store, timeline, ui } from "./model.js";
import { flat } from "./mrkdwn.js";
import { narrow, readHash, settle, wide } from "./route.js";
import { sidebar } from "./sidebar.js";

const roots = Object.fromEntries(["strip", "side", "main", "aws", "dialogs", "toasts", "live"].map((id) => [id, document.getElementById(id)]));

let frame = 0;
let rev = 0;

function redraw() {
  if (!frame) frame = requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  const snap = snapshot();
  place(snap);
  document.body.classList.toggle("no-aws", !ui.pane);
  document.body.classList.toggle("side-open", ui.side);
  render(roots.strip, guide(snap, redraw));
  render(roots.side, sidebar(snap, redraw));
  render(roots.main, workspace(snap, redraw));
  render(roots.aws, ui.pane ? awsPane(snap, redraw) : []);
  render(roots.dialogs, dialogs(snap, redraw));
  render(roots.toasts, ui.toasts.map(toastNode));
  announce(snap);
  document.title = snap.me ? `${snap.me.name} – ${snap.workspace} (simulated)` : "rootcheck demo";
  document.documentElement.dataset.rev = String(++rev);
  if (store.loaded) document.documentElement.dataset.ready = "true";
}

const toastNode = (t) =>
  h("div", { key: t.id, class: "toast " + t.kind, role: t.kind === "error" ? "alert" : "status", "data-testid": "toast" }, icon(t.kind === "error" ? "alert" : "info"), h("span", {}, h("bdi", {}, t.text)), h("button", { type: "button", class: "tool", "aria-label": "Dismiss", onclick: () => dismiss(t.id) }, icon("close")));

let homeFor = "";

// Chooses a person and a place when the address names none that exists, and tells the app when its
// Home tab is opened.
function place(snap) {
  if (!store.loaded || !snap.me) return;
  if (ui.user !== snap.me.id) {
    settle({ user: snap.me.id });
    redraw();
  }
  if (!ui.channel) {
    const first = snap.rooms.find((c) => (c.members || []).includes(snap.bot.id)) || snap.rooms[0];
    settle({ channel: first ? first.id : "messages" });
    redraw();
  }
  if (/^D/.test(ui.channel)) settle({ channel: "messages" });
  const now = ui.channel === "home" ? snap.me.id : "";
  if (now !== homeFor) {
    homeFor = now;
    if (now) openHome();
  }
}

let spoken = null;

// Says new messages of the conversation on screen, for people who do not see them: the top-level text,
// which is what Slack's client reads out, and not the blocks.
function announce(snap) {
  const c = ui.channel === "messages" ? snap.dm : snap.rooms.find((r) => r.id === ui.channel);
  if (!c || !snap.me) return;
  const { top } = timeline(c, snap.me);
  const last = top[top.length - 1];
  const key = snap.me.id + c.id;
  if (last && spoken && spoken.key === key && last.ts > spoken.ts) {
    const who = snap.users.get(last.user);
    render(roots.live, [`${who ? who.name : "Message"}: ${flat(last.text).slice(0, 300)}`]);
  }
  spoken = { key, ts: last ? last.ts : "" };
}

const polls = { slack: poller("/control/slack/state"), aws: poller("/control/aws/state"), calls: poller("/control/aws/calls?limit=1000") };
let errorsSeen = -1;

async function look(which) {
  try {
    const got = await polls[which]();
    if (which === "slack" && store.offline) {
      store.offline = false;
      redraw();
    }
    if (got === undefined) return;
    if (which === "slack") {
      const first = !store.loaded;
      store.slack = got;
      store.loaded = true;
      if (first) for (const c of got.channels || []) if (!/^D/.test(c.id)) for (const u of got.users || []) markRead({ ...c, messages: c.messages || [] }, u);
      mishaps(got.errors || []);
    } else if (which === "aws") store.aws = got;
    else store.calls = Array.isArray(got) ? got : got.calls || [];
    redraw();
  } catch (err) {
    if (which === "slack" && !store.offline) {
      store.offline = true;
      console.warn("look at the workspace", err);
      redraw();
    }
  }
}

// What a person would have seen go wrong, as Slack shows it. What happened before this tab opened is past.
function mishaps(errors) {
  if (errorsSeen >= 0) {
    for (const e of errors.slice(errorsSeen > errors.length ? 0 : errorsSeen)) {
      if (e.user === ui.user || !e.user) ui.toasts = [...ui.toasts.slice(-3), later({ id: "e" + e.at + e.what + Math.random(), text: e.what, kind: "error" })];
    }
  }
  errorsSeen = errors.length;
}

function later(t) {
  setTimeout(() => dismiss(t.id), 9000);
  return t;
}

// One loop per source. A body that takes long to fetch is asked for less often, so an organization
// of ten thousand accounts costs no more than a tenth of the time.
function loop(which, pause) {
  let timer = 0;
  let running = null;
  const once = async () => {
    clearTimeout(timer);
    if (!running) running = look(which).finally(() => { running = null; });
    await running;
    clearTimeout(timer);
    timer = setTimeout(once, Math.max(document.hidden ? 3000 : pause(), polls[which].took * 10, polls[which].size / 2000));
  };
  once();
  return async () => {
    if (running) await running;
    await once();
  };
}

readHash();
addEventListener("hashchange", () => { readHash(); redraw(); });
addEventListener("click", (e) => { if (ui.menu && !e.target.closest?.(".menu-anchor")) { ui.menu = ""; redraw(); } });
addEventListener("keydown", (e) => { if (e.key === "Escape" && (ui.menu || ui.side)) { ui.menu = ""; ui.side = false; redraw(); } });
document.getElementById("scrim").addEventListener("click", () => { ui.side = false; redraw(); });
for (const width of [narrow, wide]) width.addEventListener("change", () => { ui.side = false; readHash(); redraw(); });

const again = [loop("slack", () => 500), loop("aws", () => (ui.pane ? 700 : 4000)), loop("calls", () => (ui.pane && ui.aws.tab === "calls" ? 700 : 4000))];
wire(() => Promise.all(again.slice(0, 2).map((f) => f())), redraw);
draw();
