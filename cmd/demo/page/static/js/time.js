// Dates as a person in this workspace reads them: in their locale and zone, relative to the
// simulated clock, never to the computer's.

const formats = new Map();

function fmt(locale, zone, opts) {
  const key = locale + "|" + zone + "|" + JSON.stringify(opts);
  let f = formats.get(key);
  if (!f) {
    try {
      f = new Intl.DateTimeFormat(locale, { timeZone: zone, ...opts });
    } catch {
      f = new Intl.DateTimeFormat("en-US", opts);
    }
    formats.set(key, f);
  }
  return f;
}

const zoneOf = (ctx) => (ctx.me && ctx.me.tz) || undefined;
const localeOf = (ctx) => (ctx.me && ctx.me.locale) || "en-US";

const format = (ms, ctx, opts) => fmt(localeOf(ctx), zoneOf(ctx), opts).format(new Date(ms));
const dayKey = (ms, ctx) => fmt("en-CA", zoneOf(ctx), { year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date(ms));

/** Milliseconds of a Slack ts ("1726000000.000100"). */
export const tsMillis = (ts) => Math.floor(Number(ts) * 1000) || 0;

/** "9:14 AM" beside a message. */
export const clock = (ms, ctx) => format(ms, ctx, { hour: "numeric", minute: "2-digit" });

/** The whole date and time, for titles. */
export const full = (ms, ctx) => format(ms, ctx, { dateStyle: "full", timeStyle: "medium" });

/** The divider between days: Today, Yesterday or the date. */
export function dayLabel(ms, ctx) {
  const near = nearDay(ms, ctx);
  if (near) return near;
  return format(ms, ctx, { weekday: "long", month: "long", day: "numeric" });
}

export const sameDay = (a, b, ctx) => dayKey(a, ctx) === dayKey(b, ctx);

function nearDay(ms, ctx) {
  const ko = localeOf(ctx).startsWith("ko");
  const days = Math.round((Date.parse(dayKey(ms, ctx)) - Date.parse(dayKey(ctx.now, ctx))) / 864e5);
  if (days === 0) return ko ? "오늘" : "Today";
  if (days === -1) return ko ? "어제" : "Yesterday";
  if (days === 1) return ko ? "내일" : "Tomorrow";
  return "";
}

/** Slack's {date_…} and {time…} placeholders of <!date^…>; empty when one of them is unknown. */
export function slackDate(seconds, pattern, ctx) {
  const ms = seconds * 1000;
  let bad = false;
  const out = pattern.replace(/\{([a-z_]+)\}/g, (_, name) => {
    const pretty = name.endsWith("_pretty");
    if (pretty) {
      const near = nearDay(ms, ctx);
      if (near) return near.toLowerCase();
    }
    switch (pretty ? name.slice(0, -7) : name) {
      case "date":
        return format(ms, ctx, { year: "numeric", month: "long", day: "numeric" });
      case "date_num":
        return dayKey(ms, ctx);
      case "date_slash":
        return format(ms, ctx, { year: "numeric", month: "numeric", day: "numeric" });
      case "date_short":
        return format(ms, ctx, { year: "numeric", month: "short", day: "numeric" });
      case "date_long":
        return format(ms, ctx, { dateStyle: "full" });
      case "day_divider":
        return dayLabel(ms, ctx);
      case "time":
        return clock(ms, ctx);
      case "time_secs":
        return format(ms, ctx, { hour: "numeric", minute: "2-digit", second: "2-digit" });
      case "ago":
        return ago(ms, ctx.now);
      default:
        bad = true;
        return "";
    }
  });
  return bad ? "" : out;
}

/** "3 days ago", coarse, against the simulated clock. */
export function ago(ms, now) {
  const s = Math.round((now - ms) / 1000);
  const a = Math.abs(s);
  const say = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"} ${s >= 0 ? "ago" : "from now"}`;
  if (a < 45) return s >= 0 ? "just now" : "in a moment";
  if (a < 3600) return say(Math.max(1, Math.round(a / 60)), "minute");
  if (a < 86400) return say(Math.round(a / 3600), "hour");
  if (a < 60 * 86400) return say(Math.round(a / 86400), "day");
  if (a < 730 * 86400) return say(Math.round(a / (30.4 * 86400)), "month");
  return say(Math.round(a / (365 * 86400)), "year");
}

/** A UTC stamp for the AWS side: "2026-11-21 09:14". */
export function utc(value, seconds) {
  const d = new Date(value);
  if (Number.isNaN(d.getTime())) return "";
  return d.toISOString().slice(0, seconds ? 19 : 16).replace("T", " ");
}
