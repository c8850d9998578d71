// Where a person types: messages, and slash commands with a list of what /rootcheck understands.

import { say } from "./actions.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { ui } from "./model.js";

const COMMANDS = [
  ["", "The posture of all accounts, what fails first"],
  ["<account id or name>", "One account; other words search"],
  ["keys [account]", "Root access keys, their age and last use"],
  ["mfa <account>", "Send its owner the steps to register MFA"],
  ["check", "Check all accounts now"],
  ["status", "Last check, coverage, next schedule, open requests"],
  ["requests [all]", "Open requests, or all of them"],
  ["audit <account or request>", "Who did what"],
  ["guide [topic]", "The root user's tasks, explained"],
  ["digest", "Post the digest now"],
  ["pause [reason]", "Stop deactivating and deleting (approvers)"],
  ["resume", "Go on again, by another approver"],
  ["help", "All of these, in the app's own words"],
];

const draftKey = (c, thread) => [ui.user, c.id || "dm", thread].join("|");

/** The composer of a conversation, or of a thread when thread is a ts. */
export function composer(c, snap, redraw, thread) {
  const key = draftKey(c, thread);
  const draft = ui.drafts.get(key) || "";
  const hints = thread || ui.local.get("unhinted") === draft ? [] : matching(draft);
  const picked = Math.min(ui.local.get("hint") || 0, Math.max(0, hints.length - 1));
  const where = thread ? "Reply…" : c.is_im ? `Message ${snap.bot.name}` : `Message #${c.name}`;
  const listId = "hints-" + (thread ? "thread" : "main");

  const set = (box, text) => {
    box.value = text;
    ui.drafts.set(key, text);
    grow(box);
    redraw();
  };
  const send = async (box) => {
    const text = box.value.trim();
    if (!text) return;
    set(box, "");
    // A conversation with the app that does not exist yet is opened by naming the app.
    const said = await say(c.id || snap.bot.id, refer(text, snap), thread);
    if (!said && !ui.drafts.get(key)) set(box, text); // refused: it stands there again, to be mended
  };
  const hide = () => {
    ui.local.set("unhinted", ui.drafts.get(key) || "");
    redraw();
  };
  const choose = (box, hint) => {
    const fixed = hint.replace(/[<[].*$/, "");
    set(box, "/rootcheck " + fixed);
    box.focus();
  };

  return h(
    "form",
    {
      key: "composer" + key,
      class: "composer",
      "data-testid": thread ? "thread-composer" : "composer",
      onsubmit: (e) => { e.preventDefault(); send(e.target.querySelector("textarea")); },
    },
    hints.length > 0 &&
      h(
        "div",
        { key: "hints", class: "hints", role: "listbox", id: listId, "aria-label": "Commands" },
        h("div", { class: "hints-head" }, "Commands of rootcheck"),
        hints.map(([name, what], i) =>
          h("button", { type: "button", role: "option", tabindex: -1, class: "hint-row", "aria-selected": String(i === picked), after: (el) => { if (i === picked && picked > 0) el.scrollIntoView({ block: "nearest" }); }, "data-testid": "command-hint", "data-command": name, onmousedown: (e) => e.preventDefault(), onclick: (e) => choose(e.target.closest("form").querySelector("textarea"), name) },
            h("b", {}, ("/rootcheck " + name).trim()), h("span", {}, what)),
        ),
      ),
    h(
      "div",
      { key: "box", class: "box" },
      h("textarea", {
        key: "t",
        rows: 1,
        value: draft,
        placeholder: where,
        "aria-label": where,
        "aria-controls": hints.length ? listId : null,
        "data-testid": thread ? "thread-input" : "composer-input",
        spellcheck: "false",
        made: grow,
        oninput: (e) => {
          ui.drafts.set(key, e.target.value);
          ui.local.set("hint", 0);
          grow(e.target);
          redraw();
        },
        onblur: hide,
        onfocus: () => { if (ui.local.delete("unhinted")) redraw(); },
        onkeydown: (e) => {
          if (e.isComposing) return;
          if (hints.length && (e.key === "ArrowDown" || e.key === "ArrowUp")) {
            e.preventDefault();
            ui.local.set("hint", (picked + (e.key === "ArrowDown" ? 1 : hints.length - 1)) % hints.length);
            redraw();
          } else if (hints.length && e.key === "Tab" && !e.shiftKey) {
            e.preventDefault();
            choose(e.target, hints[picked][0]);
          } else if (e.key === "Escape") {
            hide();
          } else if (e.key === "Enter" && !e.shiftKey) {
            e.preventDefault();
            send(e.target);
          }
        },
      }),
      h("button", { type: "submit", class: "send", "aria-label": "Send", "data-testid": "send", disabled: draft.trim() === "" }, icon("send")),
    ),
    h("div", { key: "foot", class: "composer-foot" }, thread ? "Slash commands cannot be used in threads." : ["Try ", h("code", {}, "/rootcheck"), " · Enter sends, Shift+Enter starts a new line"]),
  );
}

function matching(draft) {
  if (!draft.startsWith("/") || draft.includes("\n")) return [];
  const typed = draft.toLowerCase();
  const word = typed.replace(/^\/rootcheck\s*/, "");
  if (!"/rootcheck".startsWith(typed.split(" ")[0]) && !typed.startsWith("/rootcheck")) return [];
  if (!typed.startsWith("/rootcheck ")) return COMMANDS;
  return COMMANDS.filter(([n]) => n.startsWith(word) && n !== word.trim());
}

// Slack turns @name and #name into references before an app sees them.
function refer(text, snap) {
  return text
    .replace(/(^|\s)@([\w.-]+)/g, (all, lead, name) => {
      const u = [...snap.users.values()].find((x) => x.handle === name);
      return u ? `${lead}<@${u.id}${text.startsWith("/") ? "|" + name : ""}>` : all;
    })
    .replace(/(^|\s)#([\w-]+)/g, (all, lead, name) => {
      const c = snap.rooms.find((x) => x.name === name);
      return c ? `${lead}<#${c.id}|${name}>` : all;
    });
}

function grow(box) {
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight, 200) + "px";
}
