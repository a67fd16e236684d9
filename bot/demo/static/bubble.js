/** One message of a chat as its messenger would draw it. */

import { h } from "./dom.js";
import { clock, phone } from "./format.js";
import { t, tOr } from "./i18n.js";
import { icon } from "./icons.js";

/** @typedef {import("./store.js").Message} Message */
/** @typedef {import("./store.js").Option} Option */

/** WhatsApp shows up to three options as buttons and more as a list behind one button. */
const MAX_BUTTONS = 3;

/**
 * @param {Message} message
 * @param {object} how
 * @param {boolean} how.isOwn written by the one who holds this phone
 * @param {string} [how.author] shown above the text
 * @param {number} [how.seenAt] when this page first saw it: the time, if the message carries none
 * @param {boolean} [how.isOld] a newer message of the bot stands below: its buttons fade, but still work
 * @param {string} [how.chosen] id of the option that was pressed here
 * @param {(option: Option) => void} [how.press]
 * @param {(message: Message, from: HTMLElement) => void} [how.openList] set where long choices are lists
 * @param {() => void} [how.retry] set on a message that could not be sent
 */
export function bubble(message, how) {
  const side = how.isOwn ? "own" : "other";
  const body = h(
    `div.bubble`,
    {},
    how.author ? h("span.author", {}, how.author) : null,
    attachment(message),
    words(message) ? h("p", {}, ...withLinks(words(message))) : null,
    h(
      "span.meta",
      {},
      h("time", {}, clock(message.at ?? how.seenAt)),
      how.isOwn && message.status ? ticks(message.status) : null,
    ),
  );
  const row = h(`div.row.${side}`, { "data-kind": message.kind ?? "text" }, body);
  if (how.isOld) row.classList.add("old");
  if (message.options.length && how.press) row.append(choices(message, how.press, how.openList, how.chosen));
  if (how.retry) {
    row.append(h("button.retry", { type: "button", onclick: how.retry }, icon("refresh"), t("chat.retry")));
  }
  return row;
}

/**
 * @param {Message} message
 * @param {(option: Option) => void} press
 * @param {((message: Message, from: HTMLElement) => void) | undefined} openList
 * @param {string | undefined} chosen
 */
function choices(message, press, openList, chosen) {
  if (openList && (message.shown_as === "list" || message.options.length > MAX_BUTTONS)) {
    const open = h("button.choice.opens-list", { type: "button", "aria-haspopup": "dialog" });
    open.append(icon("list"), String(message.button ?? t("chat.choose")));
    open.addEventListener("click", () => openList(message, open));
    return h("div.choices", {}, open);
  }
  return h(
    "div.choices",
    { role: "group", "aria-label": t("chat.options") },
    message.options.map((option) => {
      if (/^https?:/.test(option.id)) {
        return h("a.choice", { href: option.id, target: "_blank", rel: "noopener noreferrer" }, option.title);
      }
      const picture = { contact: "person", location: "pin" }[option.id];
      const button = h("button.choice", { type: "button", "data-option": option.id });
      button.append(...(picture ? [icon(picture)] : []), option.title);
      if (option.id === chosen) button.classList.add("is-chosen");
      button.addEventListener("click", () => press(option));
      return button;
    }),
  );
}

/** @param {Message} message */
function attachment(message) {
  if (message.kind === "photo") return h("span.picture", { role: "img", "aria-label": t("kind.photo") }, icon("photo"));
  if (message.kind === "location") {
    return h("span.map", { role: "img", "aria-label": t("kind.location") }, h("span.map-pin", {}, icon("pin")));
  }
  if (message.kind === "contact") return h("span.card", {}, h("span.card-face", {}, icon("person")), t("kind.contact"));
  if ((message.kind ?? "text") === "text") return null;
  return h("span.card", {}, h("span.card-face", {}, icon("clip")), tOr(`kind.${message.kind}`, t("kind.file")));
}

/**
 * What is to be read: a number as people write it, not "[photo]" in place of a picture, and no coordinates below a map.
 * @param {Message} message
 */
function words(message) {
  if (message.kind === "contact" && message.text.startsWith("+")) return phone(message.text);
  if (message.kind === "location" || /^\[[a-z_]+\]$/.test(message.text)) return "";
  return message.text;
}

const TICKS = { pending: "clock", sent: "tick", delivered: "ticks", read: "ticks", failed: "alert" };

/** @param {string} status one of TICKS; anything else is drawn as sent */
export function ticks(status) {
  const picture = TICKS[/** @type {keyof TICKS} */ (status)] ?? "tick";
  const name = tOr(`status.${status}`, status);
  return h(`span.ticks.${status}`, { role: "img", "aria-label": name, title: name }, icon(picture));
}

/**
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
function withLinks(text) {
  return text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,:;!?)])/).map((part, index) =>
    index % 2 ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part,
  );
}
