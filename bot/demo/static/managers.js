/** The managers' group in Telegram: topics, messages, buttons, and a line to answer in. */

import { post } from "./api.js";
import { bubble } from "./bubble.js";
import { caption } from "./caption.js";
import { composer } from "./composer.js";
import { h, reconcile } from "./dom.js";
import { t, tn } from "./i18n.js";
import { scroller } from "./scroller.js";
import { notify, refresh, store } from "./store.js";
import { attempt } from "./toast.js";

/** @typedef {import("./store.js").Message} Message */

const GENERAL = "general";

/** Where the visitor is, and how much of each topic was seen. */
const view = { topic: GENERAL, read: /** @type {Map<string, number>} */ (new Map()) };

/** When this page first saw a message. @type {Map<string, number>} */
const seen = new Map();

/** @param {Message} message */
const topicOf = (message) => (message.thread_id ? String(message.thread_id) : GENERAL);

export function managers() {
  const chat = scroller(t("managers.log"));
  const topics = h("div.topics", { role: "tablist", "aria-label": t("managers.topics") });
  const shown = h("div.shown", {});
  const empty = h("div.empty", {}, h("p", {}, t("empty.managers")));
  const subtitle = h("small.presence", {});
  chat.list.append(empty, shown);
  const write = composer({ name: "managers", label: t("managers.write"), placeholder: t("managers.write"), send });
  const root = h(
    "section.panel.managers",
    { id: "managers", "aria-label": t("panel.managers") },
    caption("managers", "group", subtitle),
    h("div.window", {}, topics, chat.root, write.root),
  );

  /** @param {string} text */
  async function send(text) {
    const thread = view.topic === GENERAL ? undefined : Number(view.topic);
    await attempt(() => post("/managers", { manager: t("managers.me"), text, thread_id: thread }));
    await refresh();
    chat.toEnd();
  }

  /**
   * @param {Message} message
   * @param {string} data
   */
  async function press(message, data) {
    await attempt(() => post("/managers", { manager: t("managers.me"), message_id: message.id, press: data }));
    await refresh();
  }

  /** @param {string} id */
  function open(id) {
    view.topic = id;
    notify();
    chat.toEnd();
    /** @type {HTMLElement | null} */ (topics.querySelector("[aria-selected=true]"))?.focus();
  }
  topics.addEventListener("keydown", (event) => {
    const all = /** @type {HTMLElement[]} */ ([...topics.children]);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = all.findIndex((one) => one.dataset.key === view.topic);
    if (step) open(all[(at + step + all.length) % all.length].dataset.key ?? GENERAL);
  });

  function update() {
    const all = store.state.managers;
    if (!all.length) {
      seen.clear(); // after a reset the same ids come again
      view.read.clear();
    }
    for (const one of all) if (!seen.has(String(one.id))) seen.set(String(one.id), Date.now());
    if (!all.some((one) => topicOf(one) === view.topic)) view.topic = GENERAL;
    view.read.set(view.topic, all.filter((one) => topicOf(one) === view.topic).length);
    const list = topicList(all);
    reconcile(topics, list.map((one) => ({ ...one, isOpen: one.id === view.topic })), (one) => one.id, (one) => {
      const tab = h(
        "button.topic",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(one.isOpen),
          tabindex: one.isOpen ? "0" : "-1",
          onclick: () => open(one.id),
        },
        h("span", {}, one.title),
        one.unread ? h("span.unread", { "aria-label": tn("managers.unread", one.unread) }, one.unread) : null,
      );
      return tab;
    });
    const here = all.filter((one) => topicOf(one) === view.topic);
    empty.hidden = here.length > 0 || !store.isLoaded;
    subtitle.textContent = list.length > 1 ? tn("managers.count", list.length - 1) : t("managers.none");
    const topic = list.find((one) => one.id === view.topic)?.title ?? "";
    write.setPlaceholder(view.topic === GENERAL ? t("managers.write_general") : t("managers.write_topic", { topic }));
    chat.around(() =>
      reconcile(shown, here, (one) => String(one.id), (one) =>
        bubble(one, {
          isOwn: one.from !== "bot",
          author: one.from === "bot" ? t("managers.bot") : one.from,
          seenAt: seen.get(String(one.id)),
          press: (option) => press(one, option.id),
        }),
      ),
    );
  }
  return { root, update };
}

/** @param {Message[]} all */
function topicList(all) {
  /** @type {Map<string, {id: string, title: string, unread: number}>} */
  const found = new Map([[GENERAL, { id: GENERAL, title: t("managers.general"), unread: 0 }]]);
  for (const one of all) {
    const id = topicOf(one);
    const topic = found.get(id) ?? { id, title: "", unread: 0 };
    topic.title = id === GENERAL ? topic.title : one.topic || topic.title || `#${id}`;
    topic.unread += 1;
    found.set(id, topic);
  }
  return [...found.values()].map((one) => ({ ...one, unread: Math.max(0, one.unread - (view.read.get(one.id) ?? 0)) }));
}
