/** One customer's phone: the chat with our bot in WhatsApp or Telegram. */

import { post } from "./api.js";
import { bubble } from "./bubble.js";
import { caption } from "./caption.js";
import { composer } from "./composer.js";
import { h, reconcile } from "./dom.js";
import { initial } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { newPerson, person } from "./persons.js";
import { scroller } from "./scroller.js";
import { openSheet } from "./sheet.js";
import { notify, refresh, store } from "./store.js";
import { attempt, inWords, toast } from "./toast.js";

/** @typedef {import("./persons.js").Channel} Channel */
/** @typedef {import("./store.js").Message} Message */
/** @typedef {import("./store.js").Option} Option */

const TYPING_MS = 8000; // after that nobody would believe that somebody is typing

/** What was sent but is not in the transcript yet. @type {Record<Channel, Message[]>} */
const pending = { whatsapp: [], telegram: [] };

/** When this page first saw a message. @type {Map<string, number>} */
const seen = new Map();

/**
 * Pressed inline buttons by message: Telegram shows no message of the customer for them.
 * @type {Map<string, string>}
 */
const chosen = new Map();

/** When an inline button was pressed that nothing has answered yet. @type {Record<Channel, number>} */
const pressedAt = { whatsapp: 0, telegram: 0 };

let counter = 0;

/** @param {Channel} channel */
export function phone(channel) {
  const chat = scroller(t("chat.log", { channel: t(`name.${channel}`) }));
  const name = h("b.who-name", {});
  const avatar = h("span.avatar.small", { "aria-hidden": "true" });
  const presence = h("small.presence", {});
  const empty = emptyState(channel, (text) => say({ text }, text));
  const note = h("p.held", { role: "status", hidden: true });
  const wave = h("div.bubble", { "aria-label": t("chat.typing"), role: "img" }, h("i"), h("i"), h("i"));
  const dots = h("div.row.other.typing", { hidden: true }, wave);
  const shown = h("div.shown", {});
  chat.list.append(empty, shown, dots, note);

  const write = composer({
    name: channel,
    label: t("chat.write_as", { channel: t(`name.${channel}`) }),
    placeholder: t("chat.message"),
    send: (text) => say({ text }, text),
    attachments: [
      { icon: "photo", label: t("send.photo"), act: () => say({ photo: true }, "", "photo") },
      { icon: "pin", label: t("send.location"), act: () => say({ location: true }, "", "location") },
      { icon: "person", label: t("send.contact"), act: () => say({ contact: true }, "", "contact") },
    ],
  });
  const bar = h(
    "header.phone-bar",
    {},
    h("span.avatar", { "aria-hidden": "true" }, icon("refresh")),
    h("span.titles", {}, h("b", {}, t("chat.business")), presence),
  );
  const screen = h("div.screen", {}, bar, chat.root, write.root);
  const hint = t("chat.new_person_hint");
  const swap = h("button.quiet", { type: "button", title: hint, "aria-label": hint });
  swap.append(icon("plus"), t("chat.new_person"));
  swap.addEventListener("click", () => {
    newPerson(channel);
    pending[channel] = [];
    store.state = { ...store.state, chats: { ...store.state.chats, [channel]: [] } };
    notify();
    refresh();
    write.focus();
  });
  const root = h(
    "section.panel.phone",
    { id: channel, "data-channel": channel, "aria-label": t(`panel.${channel}`) },
    caption(channel, channel === "whatsapp" ? "chat" : "plane", h("span.who", {}, avatar, name), swap),
    h("div.device", {}, screen),
  );

  /**
   * Do something as the customer, and show it at once.
   * @param {object} what as POST /demo/api/say takes it
   * @param {string} text
   * @param {string} [kind]
   */
  async function say(what, text, kind) {
    /** @type {Message} */
    const message = { id: `pending-${++counter}`, from: "customer", text, options: [], status: "pending", kind };
    pending[channel].push(message);
    notify();
    chat.toEnd();
    const who = person(channel);
    try {
      await post("/say", { channel, person: who, ...what });
      await refresh();
      forget(message);
    } catch (error) {
      message.status = "failed";
      message.retry = () => {
        forget(message);
        say(what, text, kind);
      };
      toast(inWords(error), "error");
    }
    notify();
  }

  /** @param {Message} message */
  function forget(message) {
    pending[channel] = pending[channel].filter((one) => one !== message);
  }

  /**
   * @param {Message} message
   * @param {Option} option
   */
  async function press(message, option) {
    if (option.id === "contact" || option.id === "location") return say({ [option.id]: true }, "", option.id);
    if (channel === "whatsapp") return say({ press: option.id }, option.title);
    chosen.set(keyOf(message), option.id);
    pressedAt[channel] = Date.now();
    notify();
    const isDone = await attempt(() => post("/say", { channel, person: person(channel), press: option.id }));
    if (!isDone) pressedAt[channel] = 0;
    await refresh();
  }

  /**
   * @param {Message} message
   * @param {HTMLElement} from
   */
  function openList(message, from) {
    const title = String(message.button ?? t("chat.choose"));
    openSheet(screen, { title, options: message.options }, from, (option) => press(message, option));
  }

  function update() {
    const who = person(channel);
    const messages = [...store.state.chats[channel], ...pending[channel]];
    const last = messages.at(-1);
    const lastAsked = messages.findLast((one) => one.options.length);
    if (!messages.length) forgetAll(); // after a reset the same ids come again
    for (const one of messages) if (!seen.has(keyOf(one))) seen.set(keyOf(one), Date.now());
    name.textContent = who;
    avatar.textContent = initial(who);
    if ((seen.get(last ? keyOf(last) : "") ?? 0) > pressedAt[channel]) pressedAt[channel] = 0; // answered
    const isOurTurn = last?.from === "customer" && last.status !== "failed";
    const sinceLast = isOurTurn ? Date.now() - (seen.get(keyOf(last)) ?? 0) : Infinity;
    const waitsFor = pressedAt[channel] ? Date.now() - pressedAt[channel] : sinceLast;
    const isTyping = waitsFor < TYPING_MS;
    presence.textContent = isTyping ? t("chat.typing") : t("chat.online");
    presence.classList.toggle("active", isTyping);
    if (isTyping) setTimeout(update, TYPING_MS - waitsFor + 50);
    empty.hidden = messages.length > 0 || !store.isLoaded;
    chat.around(() => {
      const lastAnswer = messages.findLastIndex((one) => one.from !== "customer");
      const drawn = messages.map((one, index) => ({
        ...one,
        status: one.status ?? (index < lastAnswer ? "read" : "sent"), // Telegram does not tell; an answer does
        isOld: one !== lastAsked,
        chosen: chosen.get(keyOf(one)),
      }));
      reconcile(shown, drawn, keyOf, (one) =>
        bubble(one, {
          isOwn: one.from === "customer",
          author: one.from === "manager" ? String(one.author ?? t("chat.manager")) : undefined,
          seenAt: seen.get(keyOf(one)),
          isOld: one.isOld,
          chosen: one.chosen,
          press: (option) => press(one, option),
          openList: channel === "whatsapp" ? openList : undefined,
          retry: /** @type {(() => void) | undefined} */ (one.retry),
        }),
      );
      dots.hidden = !isTyping;
      const held = waitsFor !== Infinity && !isTyping ? heldBack(channel) : "";
      note.hidden = !held;
      note.textContent = held;
    });
  }

  function forgetAll() {
    for (const known of [seen, chosen]) {
      for (const key of known.keys()) if (key.startsWith(`${channel}/${person(channel)}/`)) known.delete(key);
    }
    pressedAt[channel] = 0;
  }

  /** @param {Message} message */
  function keyOf(message) {
    return `${channel}/${person(channel)}/${message.id}`;
  }
  return { root, update };
}

/**
 * Why an answer may be late.
 * @param {Channel} channel
 */
function heldBack(channel) {
  if (store.state.service.worker_alive === false) return t("held.worker");
  const broken = [channel, "okdesk", "onec"].find((name) => (store.state.trouble[name] ?? "none") !== "none");
  return broken ? t("held.system", { system: t(`name.${broken}`) }) : "";
}

/**
 * @param {Channel} channel
 * @param {(text: string) => void} send
 */
function emptyState(channel, send) {
  const first = ["start", "washer", "price", "human"].map((key) => {
    const chip = h("button.suggestion", { type: "button", onclick: () => send(t(`first.${key}`)) }, t(`first.${key}`));
    const gloss = t(`first.${key}.gloss`);
    if (gloss) chip.append(h("small", {}, gloss));
    return chip;
  });
  return h("div.empty", {}, h("p", {}, t(`empty.${channel}`)), h("div.suggestions", {}, first));
}
