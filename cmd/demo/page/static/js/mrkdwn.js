// Slack's mrkdwn, as the client shows it: <…> tokens, *bold*, _italic_, ~strike~, `code`, fenced
// blocks, quotes, :emoji:. Text arrives with &amp; &lt; &gt; escaped; an escaped "<!channel>" is
// therefore shown as those letters, and only a real token becomes a mention. A token that would ping
// is shown in Slack's yellow, so that a message which fails to escape a hostile name gives itself away.

import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { slackDate } from "./time.js";

/** Undoes Slack's three escapes. */
export function unescape(s) {
  return s.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

/** A text object (plain_text or mrkdwn) or a bare string as inline nodes. */
export function textObject(t, ctx) {
  if (!t) return [];
  if (typeof t === "string") return [plain(t)];
  if (t.type === "mrkdwn") return mrkdwn(t.text || "", ctx, t.verbatim);
  return [plain(t.text || "", t.emoji !== false)];
}

/** Plain text with its emoji short codes, isolated so that its direction cannot leak. */
export function plain(s, withEmoji = true) {
  return h("bdi", {}, withEmoji ? emojis(s) : s);
}

/** The same as a flat string, for attributes and options. */
export function flat(t) {
  const s = typeof t === "string" ? t : (t && t.text) || "";
  return s.replace(/:([a-z0-9_+'-]+):/g, (m, n) => emoji(n) || m);
}

function emojis(s) {
  const out = [];
  let at = 0;
  for (const m of s.matchAll(/:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/g)) {
    const e = emoji(m[1]);
    if (!e) continue;
    out.push(s.slice(at, m.index), h("span", { class: "emoji", title: m[0] }, e));
    at = m.index + m[0].length;
  }
  out.push(s.slice(at));
  return out;
}

/** mrkdwn as block-level nodes. */
export function mrkdwn(src, ctx) {
  const out = [];
  const parts = src.split(/```/);
  // An odd number of fences leaves the last one open: Slack then shows it as letters.
  const fences = parts.length % 2 === 1 ? parts.length : parts.length - 1;
  for (let i = 0; i < parts.length; i++) {
    if (i % 2 === 1 && i < fences) {
      out.push(h("pre", { class: "pre" }, inlineTokensOnly(parts[i].replace(/^\n/, ""), ctx)));
      continue;
    }
    let text = parts[i];
    if (i === fences && i > 0) text = "```" + text;
    if (i > 0) text = text.replace(/^\n/, "");
    if (i + 1 < parts.length) text = text.replace(/\n$/, "");
    if (text !== "") out.push(...lines(text, ctx));
  }
  return out;
}

function lines(text, ctx) {
  const out = [];
  let run = [];
  let quote = [];
  const flushRun = () => {
    out.push(...run);
    run = [];
  };
  const flushQuote = () => {
    if (quote.length) out.push(h("blockquote", {}, quote.map((l) => h("span", { class: "line" }, l))));
    quote = [];
  };
  let rest = false;
  for (const line of text.split("\n")) {
    const q = rest ? [null, line] : /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (!rest && /^(&gt;){3}/.test(line)) {
      rest = true;
      flushRun();
      quote.push(inline(line.replace(/^(&gt;){3} ?/, ""), ctx));
    } else if (q) {
      flushRun();
      quote.push(inline(q[1], ctx));
    } else {
      flushQuote();
      run.push(h("span", { class: line === "" ? "line gap" : "line" }, inline(line, ctx)));
    }
  }
  flushRun();
  flushQuote();
  return out;
}

// A mark counts only between spaces or punctuation, as in Slack: a Korean particle right behind a
// closing mark leaves it a letter. A zero-width space between them is enough of a boundary.
const marked = (c) => new RegExp(`(?<=^|[\\s\\u200b\\p{P}\\p{S}])[${c}](?=[^\\s${c}])((?:<[^<>\\n]*>|<(?![^<>\\n]*>)|[^<${c}\\n])*?[^\\s${c}])[${c}](?=$|[\\s\\u200b\\p{P}\\p{S}])`, "u");

const MARKS = [
  [/`([^`\n]+)`/, "code"],
  [marked("*"), "b"],
  [marked("_"), "i"],
  [marked("~"), "s"],
];

/** Inline mrkdwn of one line. */
export function inline(s, ctx) {
  let best = null;
  const token = /<([^<>\n]+)>/.exec(s);
  if (token) best = { at: token.index, end: token.index + token[0].length, make: () => angle(token[1], ctx) };
  for (const [re, tag] of MARKS) {
    const m = findMark(s, re);
    if (m && (!best || m.at < best.at)) {
      best = {
        ...m,
        make: () => (tag === "code" ? h("code", {}, inlineTokensOnly(m.body, ctx)) : h(tag, {}, inline(m.body, ctx))),
      };
    }
  }
  if (!best) return s === "" ? [] : emojis(unescape(s));
  return [emojis(unescape(s.slice(0, best.at))), best.make(), ...inline(s.slice(best.end), ctx)];
}

function findMark(s, re) {
  const m = re.exec(s);
  return m && { at: m.index, end: m.index + m[0].length, body: m[1] };
}

function inlineTokensOnly(s, ctx) {
  const out = [];
  let at = 0;
  for (const m of s.matchAll(/<([^<>\n]+)>/g)) {
    out.push(unescape(s.slice(at, m.index)), angle(m[1], ctx));
    at = m.index + m[0].length;
  }
  out.push(unescape(s.slice(at)));
  return out;
}

function angle(body, ctx) {
  const bar = body.indexOf("|");
  const head = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? "" : body.slice(bar + 1);
  if (head.startsWith("@")) return userMention(head.slice(1), ctx);
  if (head.startsWith("#")) return channelMention(head.slice(1), label, ctx);
  if (head.startsWith("!date^")) return date(head, label, ctx);
  if (/^!(channel|here|everyone)$/.test(head)) return h("span", { class: "mention ping" }, "@" + head.slice(1));
  if (head.startsWith("!subteam^")) {
    const id = head.slice(9);
    const g = ctx.groups.get(id);
    return h("span", { class: "mention" }, h("bdi", {}, label ? unescape(label) : "@" + (g ? g.handle || g.name : id)));
  }
  if (/^(https?:|mailto:)/i.test(head)) return link(unescape(head), label ? emojis(unescape(label)) : null, ctx);
  return unescape("<" + body + ">");
}

/** An outward link. Only http, https and mailto addresses become links at all. */
export function link(url, label, ctx) {
  const shown = label || url.replace(/^mailto:/i, "");
  if (!/^(https?:|mailto:)/i.test(url)) return h("bdi", {}, shown);
  const here = ctx.permalink && ctx.permalink(url);
  if (here) return h("a", { href: here, class: "link", title: url }, h("bdi", {}, shown));
  return h("a", { href: url, class: "link", title: url, target: "_blank", rel: "noopener noreferrer" }, h("bdi", {}, shown));
}

/** @name, highlighted when it is the person looking. */
export function userMention(id, ctx) {
  const u = ctx.users.get(id);
  const cls = "mention" + (ctx.me && id === ctx.me.id ? " mine" : "");
  return h("span", { class: cls, "data-user-id": id }, h("bdi", {}, "@" + (u ? u.name : id)));
}

/** #name; a click opens the channel when the person can see it. */
export function channelMention(id, label, ctx) {
  const c = ctx.channels.get(id);
  const name = c ? c.name : label ? unescape(label) : null;
  if (!name) return h("span", { class: "mention" }, "# private channel");
  return h("button", { class: "mention", type: "button", onclick: () => ctx.open(id) }, h("bdi", {}, "#" + name));
}

function date(head, fallback, ctx) {
  const m = /^!date\^(-?\d+)\^([^^]*)(?:\^(.*))?$/.exec(head);
  if (!m) return h("bdi", {}, unescape(fallback));
  const shown = slackDate(Number(m[1]), unescape(m[2]), ctx) || unescape(fallback);
  const node = h("time", { title: unescape(fallback) }, shown);
  return m[3] ? link(unescape(m[3]), node, ctx) : node;
}
