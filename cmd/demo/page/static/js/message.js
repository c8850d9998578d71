// One message as Slack shows it: avatar, name, APP badge, time, text or blocks, what is only visible
// to the reader, and the door to its thread.

import { click, pendingKey, typed } from "./actions.js";
import { attachments, blocks } from "./blocks.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { appMark, icon } from "./icons.js";
import { ui } from "./model.js";
import { mrkdwn } from "./mrkdwn.js";
import { go, hrefFor } from "./route.js";
import { ago, clock, full, tsMillis } from "./time.js";

/**
 * What renderers need to know: who looks, at which surface, and how to act on it. The copy of a message
 * that stands in its thread has another seat, so that its menus and ids are its own.
 */
export function surface(snap, where, redraw, seat = "") {
  const whereKey = (where.view_id || `${where.channel}-${where.ts}`) + seat;
  const safe = (s) => String(s).replace(/[^\w-]/g, "_");
  return {
    ...snap,
    where,
    whereKey,
    redraw,
    open: (id) => go({ channel: id, thread: "" }),
    permalink: (url) => permalink(url, snap),
    idFor: (b, el) => `f-${safe(whereKey)}-${safe(b.block_id)}-${safe(el.action_id)}`,
    describedBy: (b) => (b.type === "input" ? `d-${safe(whereKey)}-${safe(b.block_id)}` : null),
    pending: (el, blockID) => ui.pending.has(pendingKey(where, el, blockID)),
    act: (el, blockID, choice, revert) => click(where, el, blockID, choice, revert),
    type: (el, blockID, choice) => typed(where, el, blockID, choice),
    menu: {
      is: (key) => ui.menu === key,
      toggle: (key) => { ui.menu = ui.menu === key ? "" : key; redraw(); },
    },
    local: {
      get: (key, or) => (ui.local.has(key) ? ui.local.get(key) : or),
      set: (key, v) => { ui.local.set(key, v); redraw(); },
    },
  };
}

// A link to a message of this workspace opens here instead of leaving the page.
function permalink(url, snap) {
  const m = /\/archives\/([A-Z0-9]+)(?:\/p(\d{10})(\d{6}))?/.exec(url);
  if (!m || !snap.channels.has(m[1])) return "";
  const c = snap.channels.get(m[1]);
  const ts = m[2] ? `${m[2]}.${m[3]}` : "";
  const msg = c.messages.find((x) => x.ts === ts);
  const root = msg && msg.thread_ts && msg.thread_ts !== ts ? msg.thread_ts : "";
  return hrefFor({ channel: c.is_im ? "messages" : c.id, thread: root });
}

/** The picture of a person (initials) or of the app. */
export function avatar(who, size = 36) {
  if (!who) return h("span", { class: `avatar s${size}` });
  if (who.is_bot) return h("span", { class: `avatar s${size}`, "aria-hidden": "true" }, appMark());
  return h("span", { class: `avatar s${size} tint${who.colour}`, "aria-hidden": "true" }, who.initials);
}

const flashes = new Map(); // channel|ts -> {sig, until}
let started = 0;

/** Whether a message is new or was changed a moment ago; true for a short while only. */
function flashing(c, m, redraw) {
  const key = c.id + "|" + m.ts + "|" + (m.ephemeral_to || "");
  const sig = JSON.stringify([m.text, m.blocks]);
  const now = performance.now();
  if (!started) started = now;
  let f = flashes.get(key);
  if (!f || f.sig !== sig) {
    f = { sig, until: now - started < 1500 ? 0 : now + 2200 };
    flashes.set(key, f);
    if (f.until) setTimeout(redraw, 2300);
  }
  return f.until > now;
}

/** One message. compact leaves out avatar and name, as for a second one by the same author. */
export function message(m, c, snap, redraw, { compact = false, replies = [], inThread = false } = {}) {
  const who = snap.users.get(m.user) || (m.user ? { id: m.user, name: m.username || m.user, initials: (m.username || "?").charAt(0), colour: 0 } : snap.bot);
  const ctx = surface(snap, { channel: c.id, ts: m.ts }, redraw, inThread ? "-thread" : "");
  const ms = tsMillis(m.ts);
  const body = [];
  if (m.blocks && m.blocks.length) body.push(blocks(m.blocks, ctx));
  else if (m.text) body.push(h("div", { class: "bk-text plain-message" }, mrkdwn(m.text, ctx)));
  if (m.attachments) body.push(attachments(m.attachments, ctx));
  if (m.edited && !(m.blocks && m.blocks.length)) body.push(h("span", { class: "edited", "data-testid": "edited" }, "(edited)"));
  const time = h("time", { class: "at", title: full(ms, snap), datetime: new Date(ms).toISOString() }, clock(ms, snap));
  return h(
    "article",
    {
      key: m.ts + (m.ephemeral_to || "") + (compact ? "c" : ""),
      class: "msg" + (compact ? " compact" : "") + (m.ephemeral_to ? " ephemeral" : "") + (flashing(c, m, redraw) ? " flash" : ""),
      "data-testid": "message",
      "data-ts": m.ts,
      "data-channel": c.id,
      "data-user-id": m.user,
      "data-ephemeral": m.ephemeral_to ? "true" : null,
      "aria-label": `${who.name}, ${clock(ms, snap)}`,
    },
    h("div", { class: "gutter" }, compact ? time : avatar(who)),
    h(
      "div",
      { class: "content" },
      m.ephemeral_to && h("div", { class: "only-you", "data-testid": "only-visible-to-you" }, icon("eye"), "Only visible to you"),
      !compact && h("div", { class: "byline" }, h("b", { class: "author" }, h("bdi", {}, who.name)), who.is_bot && h("span", { class: "badge-app" }, "APP"), time),
      body,
      reactions(m),
      !inThread && replies.length > 0 && threadDoor(m, replies, snap),
    ),
    !inThread && !m.ephemeral_to && h("div", { class: "tools" }, h("button", { type: "button", class: "tool", title: "Reply in thread", "aria-label": "Reply in thread", "data-testid": "reply", onclick: () => go({ thread: m.ts }) }, icon("reply"))),
  );
}

function reactions(m) {
  if (!m.reactions || !m.reactions.length) return null;
  return h("div", { class: "reactions" }, m.reactions.map((r) => {
    const name = typeof r === "string" ? r : r.name;
    return h("span", { class: "reaction", title: `:${name}:` }, emoji(name) || `:${name}:`, h("small", {}, String(r.count || 1)));
  }));
}

function threadDoor(m, replies, snap) {
  const authors = [...new Set(replies.map((r) => r.user))].slice(0, 4).map((id) => snap.users.get(id));
  const last = tsMillis(replies[replies.length - 1].ts);
  return h(
    "button",
    { type: "button", class: "thread-door", "data-testid": "open-thread", "data-ts": m.ts, onclick: () => go({ thread: m.ts }) },
    h("span", { class: "faces" }, authors.map((a) => avatar(a, 24))),
    h("b", {}, `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`),
    h("span", { class: "muted" }, `Last reply ${ago(last, snap.now)}`),
  );
}
