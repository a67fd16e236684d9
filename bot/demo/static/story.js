/** The head of the page: what this is, and five things to try, ticked as they happen. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { store } from "./store.js";

/** @type {{key: string, panel: string, isDone: () => boolean}[]} */
const STEPS = [
  { key: "write", panel: "whatsapp", isDone: () => Object.values(store.state.chats).some((chat) => chat.length > 0) },
  { key: "lead", panel: "whatsapp", isDone: () => store.state.issues.length > 0 },
  { key: "status", panel: "okdesk", isDone: () => store.state.issues.some((issue) => issue.status !== "opened") },
  { key: "pay", panel: "onec", isDone: () => store.state.payments.length > 0 },
  {
    key: "break",
    panel: "trouble",
    isDone: () =>
      (store.state.service.restarts ?? 0) > restartsBefore || Object.values(store.state.trouble).some((what) => what !== "none"),
  },
];

/** What was done once stays ticked, until everything is reset. @type {Set<string>} */
const done = new Set();

/** Restarts up to the last reset do not count as broken now. */
let restartsBefore = 0;

export function forgetSteps() {
  done.clear();
  restartsBefore = store.state.service.restarts ?? 0;
}

/** @param {(panel: string) => void} show */
export function story(show) {
  const items = STEPS.map((step, index) => {
    const mark = h("span.step-mark", { "aria-hidden": "true" });
    const state = h("span.for-readers", {});
    const name = h("span", {}, t(`step.${step.key}`));
    const button = h("button.step", { type: "button", onclick: () => show(step.panel) }, mark, name, state);
    return { step, index, mark, state, root: h("li", {}, button), button };
  });
  const list = h("ol.steps", {}, items.map((one) => one.root));
  const pitch = h("div.pitch", {}, h("h1", {}, t("story.title")), h("p", {}, t("story.text")));
  const root = h("section.story", { "aria-label": t("story.label") }, pitch, list);

  function update() {
    for (const { step } of items) if (step.isDone()) done.add(step.key);
    const next = items.find(({ step }) => !done.has(step.key));
    for (const item of items) {
      const isDone = done.has(item.step.key);
      item.button.classList.toggle("is-done", isDone);
      item.button.classList.toggle("is-next", item === next);
      item.mark.replaceChildren(isDone ? icon("check") : String(item.index + 1));
      if (item === next && !item.button.classList.contains("was-shown")) {
        item.button.classList.add("was-shown");
        list.scrollLeft = item.root.offsetLeft - 12; // on a phone they do not all fit
      }
      item.state.textContent = isDone ? t("step.is_done") : "";
    }
  }
  return { root, update };
}
