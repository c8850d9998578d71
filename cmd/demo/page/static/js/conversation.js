// The middle of the workspace: a channel, the app's Home or Messages tab, and the thread panel.

import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { h } from "./dom.js";
import { follow, stick } from "./follow.js";
import { appMark, icon } from "./icons.js";
import { message, surface } from "./message.js";
import { markRead, store, timeline, ui } from "./model.js";
import { go } from "./route.js";
import { dayLabel, sameDay, tsMillis } from "./time.js";

/** Everything right of the sidebar and left of the AWS pane. */
export function workspace(snap, redraw) {
  if (!snap.me) return h("main", { class: "main empty" }, h("p", {}, store.loaded ? "The workspace has no people yet." : "Waiting for the workspace…"));
  const at = ui.channel;
  if (at === "home" || at === "messages") return app(snap, redraw, at);
  const c = snap.rooms.find((r) => r.id === at);
  if (!c) return h("main", { class: "main empty" }, h("p", { "data-testid": "cannot-see" }, `${snap.me.name} cannot see this conversation.`), h("p", { class: "muted" }, "Pick one on the left."));
  return room(snap, redraw, c, roomHead(c, snap));
}

function roomHead(c, snap) {
  const members = (c.members || []).length;
  return h(
    "header",
    { class: "room-head" },
    h("h1", {}, icon(c.is_private ? "lock" : "hash"), h("bdi", {}, c.name)),
    c.topic && h("span", { class: "topic" }, h("bdi", {}, typeof c.topic === "string" ? c.topic : c.topic.value)),
    members > 0 && h("span", { class: "members", title: (c.members || []).map((id) => (snap.users.get(id) || { name: id }).name).join(", ") }, `${members} members`),
  );
}

function appHead(snap, tab) {
  const link = (id, label) => h("button", { type: "button", role: "tab", class: "tab", "aria-selected": String(tab === id), "data-testid": `app-tab-${id}`, onclick: () => go({ channel: id, thread: "" }) }, label);
  return h(
    "header",
    { class: "room-head app" },
    h("h1", {}, h("span", { class: "avatar s24" }, appMark()), snap.bot.name, h("span", { class: "badge-app" }, "APP")),
    h("div", { class: "tabs", role: "tablist" }, link("home", "Home"), link("messages", "Messages")),
  );
}

function app(snap, redraw, tab) {
  if (tab === "home") {
    const view = (store.slack.homes || {})[snap.me.id];
    const ctx = view && surface(snap, { view_id: view.id }, redraw);
    return h(
      "main",
      { key: "home" + snap.me.id, class: "main", "data-testid": "home", "data-view-id": view && view.id },
      appHead(snap, "home"),
      h("div", { class: "scroll home" }, view ? h("div", { class: "home-sheet" }, blocks(view.blocks, ctx)) : h("div", { class: "nothing" }, h("span", { class: "avatar s72" }, appMark()), h("p", {}, "This is the app’s Home tab. Nothing has been published here for you yet."))),
    );
  }
  const c = snap.dm || { id: "", is_im: true, name: snap.bot.name, messages: [], user: snap.me.id };
  return room(snap, redraw, c, appHead(snap, "messages"));
}

function room(snap, redraw, c, head) {
  const { top, replies } = timeline(c, snap.me);
  markRead(c, snap.me);
  const root = ui.thread && c.messages.find((m) => m.ts === ui.thread);
  return h(
    "main",
    { key: c.id + snap.me.id, class: "main" + (root ? " with-thread" : "") },
    h(
      "section",
      { class: "room", "aria-label": c.is_im ? snap.bot.name : "#" + c.name },
      head,
      h(
        "div",
        { class: "scroll", role: "log", "aria-live": "off", "aria-label": "Messages", tabindex: 0, "data-testid": "messages", "data-channel": c.id, made: stick, after: (el) => follow(el, top, "room") },
        h("div", { class: "spacer" }),
        c.is_im && top.length === 0 && h("div", { class: "nothing" }, h("span", { class: "avatar s72" }, appMark()), h("p", {}, `This is the very beginning of your messages with ${snap.bot.name}.`)),
        list(top, c, snap, redraw, replies, false),
      ),
      composer(c, snap, redraw, ""),
    ),
    root && thread(root, c, snap, redraw, replies.get(root.ts) || []),
  );
}

function thread(root, c, snap, redraw, replies) {
  return h(
    "aside",
    { key: "t" + root.ts, class: "thread", "aria-label": "Thread", "data-testid": "thread", "data-ts": root.ts },
    h("header", { class: "room-head" }, h("h2", {}, "Thread", h("small", {}, c.is_im ? snap.bot.name : "#" + c.name)), h("button", { type: "button", class: "tool", "aria-label": "Close thread", "data-testid": "close-thread", onclick: () => go({ thread: "" }) }, icon("close"))),
    h(
      "div",
      { class: "scroll", role: "log", "aria-live": "off", "aria-label": "Replies", tabindex: 0, made: stick, after: (el) => follow(el, replies, "thread") },
      message(root, c, snap, redraw, { inThread: true }),
      h("div", { class: "day thin" }, h("span", {}, `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`)),
      list(replies, c, snap, redraw, new Map(), true),
    ),
    composer(c, snap, redraw, root.ts),
  );
}

function list(msgs, c, snap, redraw, replies, inThread) {
  const out = [];
  let before = null;
  for (const m of msgs) {
    const ms = tsMillis(m.ts);
    if (!inThread && (!before || !sameDay(tsMillis(before.ts), ms, snap))) {
      out.push(h("div", { key: "day" + m.ts, class: "day", role: "separator" }, h("span", {}, dayLabel(ms, snap))));
      before = null;
    }
    const compact = !!before && before.user === m.user && !before.ephemeral_to && !m.ephemeral_to && ms - tsMillis(before.ts) < 3e5 && !(m.blocks && m.blocks.length);
    out.push(message(m, c, snap, redraw, { compact, replies: replies.get(m.ts) || [], inThread }));
    before = m;
  }
  return out;
}
