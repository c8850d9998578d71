// The rich_text block: sections, lists, quotes and preformatted text, already parsed by its sender.

import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { channelMention, link, userMention } from "./mrkdwn.js";
import { slackDate } from "./time.js";

/** The elements of a rich_text block as nodes. */
export function richText(elements, ctx) {
  return (elements || []).map((e) => {
    switch (e.type) {
      case "rich_text_section":
        return h("div", { class: "rt-section" }, inlines(e.elements, ctx));
      case "rich_text_list":
        return h(
          e.style === "ordered" ? "ol" : "ul",
          { class: `list indent-${Math.min(8, e.indent || 0)}`, start: e.style === "ordered" && e.offset ? e.offset + 1 : null },
          (e.elements || []).map((item) => h("li", {}, inlines(item.elements, ctx))),
        );
      case "rich_text_preformatted":
        return h("pre", { class: "pre" }, inlines(e.elements, ctx));
      case "rich_text_quote":
        return h("blockquote", {}, inlines(e.elements, ctx));
      default:
        return h("div", { class: "unknown" }, `Unsupported: ${e.type}`);
    }
  });
}

function inlines(list, ctx) {
  return (list || []).map((e) => styled(one(e, ctx), e.style));
}

function one(e, ctx) {
  switch (e.type) {
    case "text":
      return h("bdi", {}, e.text);
    case "link":
      return link(e.url, e.text || null, ctx);
    case "user":
      return userMention(e.user_id, ctx);
    case "channel":
      return channelMention(e.channel_id, "", ctx);
    case "usergroup": {
      const g = ctx.groups.get(e.usergroup_id);
      return h("span", { class: "mention" }, "@" + (g ? g.handle || g.name : e.usergroup_id));
    }
    case "broadcast":
      return h("span", { class: "mention ping" }, "@" + e.range);
    case "emoji":
      return h("span", { class: "emoji", title: `:${e.name}:` }, emoji(e.name) || `:${e.name}:`);
    case "date":
      return h("time", { title: e.fallback }, slackDate(e.timestamp, e.format || "{date_num} {time}", ctx) || e.fallback || "");
    case "color":
      return h("code", {}, e.value);
    case "tag":
      return h("span", { class: "tag" }, e.text);
    default:
      return h("span", { class: "unknown inline" }, e.text || e.type);
  }
}

function styled(node, style) {
  if (!style) return node;
  if (style.code) node = h("code", {}, node);
  if (style.bold) node = h("b", {}, node);
  if (style.italic) node = h("i", {}, node);
  if (style.strike) node = h("s", {}, node);
  if (style.underline) node = h("u", {}, node);
  return node;
}
