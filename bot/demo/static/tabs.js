/** On a phone the panels lie side by side: swipe, or the tabs below. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { store } from "./store.js";

/** @type {Record<string, string>} */
const PANELS = {
  whatsapp: "chat",
  telegram: "plane",
  managers: "group",
  okdesk: "board",
  onec: "coin",
  trouble: "bolt",
};

/**
 * What has changed in a panel that is out of sight.
 * @type {Record<string, () => unknown>}
 */
const NEWS = {
  whatsapp: () => store.state.chats.whatsapp.length,
  telegram: () => store.state.chats.telegram.length,
  managers: () => store.state.managers.length,
  okdesk: () => store.state.issues,
  onec: () => store.state.payments,
  trouble: () => 0,
};

/** @type {Map<string, string>} */
const seen = new Map();
let open = "whatsapp";

/** @param {HTMLElement} stage holds the panels */
export function tabs(stage) {
  const buttons = Object.entries(PANELS).map(([panel, picture]) =>
    h(
      "button",
      { type: "button", "data-panel": panel, onclick: () => show(panel) },
      h("span.tab-icon", {}, icon(picture), h("i.news", {})),
      h("span", {}, t(`tab.${panel}`)),
    ),
  );
  const root = h("nav.tabs", { "aria-label": t("tabs") }, buttons);

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) open = entry.target.id;
      update();
    },
    { root: stage, threshold: 0.6 },
  );
  queueMicrotask(() => {
    for (const panel of Object.keys(PANELS)) {
      const element = document.getElementById(panel);
      if (element) watcher.observe(element);
    }
  });

  function update() {
    document.body.dataset.open = open;
    for (const button of buttons) {
      const panel = button.dataset.panel ?? "";
      const now = JSON.stringify(NEWS[panel]());
      const isOpen = panel === open;
      if (isOpen || !store.isLoaded || !seen.has(panel)) seen.set(panel, now);
      if (isOpen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      const hasNews = !isOpen && seen.get(panel) !== now;
      button.classList.toggle("has-news", hasNews);
      button.setAttribute("aria-label", hasNews ? t("tab.has_news", { tab: t(`tab.${panel}`) }) : t(`tab.${panel}`));
    }
  }
  return { root, update };
}

/** @param {string} panel */
export function show(panel) {
  const element = document.getElementById(panel);
  if (!element) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ behavior: isCalm ? "auto" : "smooth", block: "nearest", inline: "center" });
  element.classList.remove("is-pointed-at");
  void element.offsetWidth; // lets the animation begin again
  element.classList.add("is-pointed-at");
  const hasRoom = matchMedia("(min-width: 760px)").matches; // on a phone the keyboard would jump up
  if (hasRoom) element.querySelector("textarea")?.focus({ preventScroll: true });
}
