// The left column: the workspace, its channels, the app, and the people one can look as.

import { h } from "./dom.js";
import { appMark, icon } from "./icons.js";
import { avatar } from "./message.js";
import { store, ui, unread } from "./model.js";
import { go } from "./route.js";

export function sidebar(snap, redraw) {
  const here = ui.channel;
  const pick = (change) => {
    ui.side = false;
    go({ ...change, thread: "" });
    redraw();
  };
  return h(
    "nav",
    { class: "sidebar", "aria-label": "Workspace" },
    h("div", { class: "ws-name" }, h("span", { class: "ws-mark", "aria-hidden": "true" }, snap.workspace.charAt(0).toUpperCase()), h("span", { class: "grow" }, h("b", {}, h("bdi", {}, snap.workspace)), h("small", {}, "simulated workspace"))),
    h(
      "div",
      { class: "side-scroll" },
      h("h2", { class: "side-head" }, "Channels"),
      snap.me && snap.rooms.length === 0 && h("p", { class: "side-note" }, "None that this person can see"),
      snap.me && snap.rooms.map((c) => entry("channel", c.id, c.name, icon(c.is_private ? "lock" : "hash"), here === c.id, unread(c, snap.me), false, pick)),
      h("h2", { class: "side-head" }, "Apps"),
      h("div", { class: "side-app" }, h("span", { class: "avatar s20" }, appMark()), snap.bot.name),
      entry("app-home", "home", "Home", icon("home"), here === "home", 0, false, pick, "sub"),
      entry("app-messages", "messages", "Messages", icon("reply"), here === "messages", snap.dm && snap.me ? unread(snap.dm, snap.me) : 0, true, pick, "sub"),
    ),
    people(snap, pick),
  );
}

function entry(testid, id, label, glyph, on, count, loud, pick, extra = "") {
  return h(
    "button",
    {
      key: testid + id,
      type: "button",
      class: `side-entry ${extra}${on ? " on" : ""}${count ? " unread" : ""}`,
      "aria-current": on ? "page" : null,
      "data-testid": testid,
      "data-channel-id": id,
      onclick: () => pick({ channel: id }),
    },
    glyph,
    h("span", { class: "grow" }, h("bdi", {}, label)),
    count > 0 && loud && h("span", { class: "count", "aria-label": `${count} unread` }, String(count)),
  );
}

function people(snap, pick) {
  return h(
    "section",
    { class: "people", "data-testid": "user-switcher", "aria-label": "Look as" },
    h("h2", { class: "side-head" }, "You are looking as"),
    h(
      "div",
      { class: "people-list" },
      snap.people.map((u) => {
        const on = snap.me && snap.me.id === u.id;
        const dm = (store.slack.channels || []).find((c) => c.user === u.id && /^D/.test(c.id));
        const waiting = dm ? unread({ ...dm, messages: dm.messages || [] }, u) : 0;
        return h(
          "button",
          {
            key: u.id,
            type: "button",
            class: "person" + (on ? " on" : "") + (u.deleted ? " gone" : ""),
            "aria-pressed": String(!!on),
            "data-testid": "user",
            "data-user-id": u.id,
            title: [u.name, u.email, u.note, u.locale].filter(Boolean).join("\n"),
            onclick: () => pick({ user: u.id }),
          },
          avatar(u, 28),
          h("span", { class: "grow" }, h("span", { class: "p-name" }, h("bdi", {}, u.name)), h("span", { class: "p-note" }, [u.note, u.locale].filter(Boolean).join(" · "))),
          waiting > 0 && !on && h("span", { class: "count", "aria-label": `${waiting} unread messages` }, String(waiting)),
        );
      }),
    ),
  );
}
