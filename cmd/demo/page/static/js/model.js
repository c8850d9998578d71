// What the page knows, and what of it one person may see. Everything that depends on the shape of
// the control API's state is read here and nowhere else.

import { tsMillis } from "./time.js";

/** Raw answers of the control API, and what only this browser tab remembers. */
export const store = {
  slack: { users: [], channels: [], views: [], homes: {}, errors: [], groups: [] },
  aws: null,
  calls: [],
  loaded: false,
  offline: false,
};

export const ui = {
  user: "",
  channel: "",
  thread: "",
  theme: "",
  pane: true,
  guide: true,
  side: false, // on a narrow screen: the sidebar is over the conversation
  menu: "",
  drafts: new Map(),
  read: new Map(), // user|channel -> ts of the last message seen
  local: new Map(), // folded containers, pages of tables
  pending: new Set(),
  viewErrors: new Map(), // view id -> {block_id: text}
  busyView: "",
  confirm: null,
  toasts: [],
  aws: { tab: "accounts", query: "", filter: "all", open: new Set(), callFilter: "all", callQuery: "", faultFor: "30s", busy: "" },
};

const COLOURS = 8;

/** Everything the screen of one person needs, derived from the raw state. */
export function snapshot() {
  const s = store.slack;
  const users = new Map();
  for (const u of s.users || []) users.set(u.id, person(u));
  const me = users.get(ui.user) || [...users.values()].find((u) => !u.is_bot) || null;
  const bot = [...users.values()].find((u) => u.is_bot) || { id: "", name: "rootcheck", is_bot: true };
  const channels = new Map();
  for (const c of s.channels || []) channels.set(c.id, channel(c));
  const groups = new Map((s.groups || s.usergroups || []).map((g) => [g.id, g]));
  const visible = me ? [...channels.values()].filter((c) => sees(me, c)) : [];
  return {
    users,
    me,
    bot,
    channels,
    groups,
    people: [...users.values()].filter((u) => !u.is_bot),
    rooms: visible.filter((c) => !c.is_im),
    dm: visible.find((c) => c.is_im) || null,
    now: clockMillis(),
    workspace: (s.team && s.team.name) || "Acme",
  };
}

function person(u) {
  const name = u.real_name || u.name || u.id;
  let hash = 0;
  for (const ch of u.id) hash = (hash * 31 + ch.codePointAt(0)) >>> 0;
  const words = name.split(/\s+/).filter((w) => /^\p{L}/u.test(w));
  const notes = [];
  if (u.title) notes.push(u.title);
  if (u.role && u.role !== u.title) notes.push(u.role);
  if (u.is_restricted || u.guest) notes.push("guest");
  if (u.is_stranger || u.stranger) notes.push("other workspace");
  if (u.deleted || u.deactivated) notes.push("deactivated");
  return {
    ...u,
    name,
    handle: u.name,
    deleted: !!(u.deleted || u.deactivated),
    guest: !!(u.is_restricted || u.guest),
    initials: (words.length > 1 ? words[0][0] + words[1][0] : name.slice(0, 2)).toUpperCase(),
    colour: hash % COLOURS,
    note: notes.join(" · "),
  };
}

function channel(c) {
  return { ...c, is_im: !!(c.is_im || c.im || /^D/.test(c.id)), is_private: !!(c.is_private || c.private), messages: c.messages || [] };
}

function sees(me, c) {
  if (c.is_im) return c.user === me.id || (c.members || []).includes(me.id);
  return !c.members || c.members.includes(me.id);
}

/** The simulated time in milliseconds; the computer's only until the first answer is there. */
export function clockMillis() {
  const at = (store.aws && store.aws.clock) || store.slack.clock;
  const ms = at ? Date.parse(at) : NaN;
  return Number.isNaN(ms) ? Date.now() : ms;
}

/** The messages of a channel that the person sees outside threads, oldest first, with their threads. */
export function timeline(c, me) {
  const seen = c.messages.filter((m) => !m.deleted && (!m.ephemeral_to || m.ephemeral_to === me.id));
  const replies = new Map();
  const top = [];
  for (const m of seen) {
    if (m.thread_ts && m.thread_ts !== m.ts) {
      if (!replies.has(m.thread_ts)) replies.set(m.thread_ts, []);
      replies.get(m.thread_ts).push(m);
      if (m.broadcast || m.subtype === "thread_broadcast") top.push(m);
    } else top.push(m);
  }
  const byTs = (a, b) => tsMillis(a.ts) - tsMillis(b.ts) || (a.ts < b.ts ? -1 : 1);
  top.sort(byTs);
  for (const list of replies.values()) list.sort(byTs);
  return { top, replies };
}

/** How many top-level messages of the app the person has not seen yet in c. */
export function unread(c, me) {
  const seen = ui.read.get(me.id + "|" + c.id) || "";
  return c.messages.filter((m) => m.ts > seen && m.user !== me.id && !(m.thread_ts && m.thread_ts !== m.ts) && (!m.ephemeral_to || m.ephemeral_to === me.id)).length;
}

/** Marks everything that stands in c as seen by the person. */
export function markRead(c, me) {
  const last = c.messages.reduce((ts, m) => (m.ts > ts ? m.ts : ts), "");
  ui.read.set(me.id + "|" + c.id, last);
}

/** The person's open modals, the bottom of the stack first. */
export function modals(me) {
  return (store.slack.views || []).filter((v) => v.user === me.id && (!v.type || v.type === "modal"));
}
