/** A chat's scrolling part: follows new messages, unless the visitor is reading further up. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

const NEAR_END = 80; // pixels

/** @param {string} label accessible name of the log */
export function scroller(label) {
  const list = h("div.messages", { role: "log", "aria-live": "polite", "aria-label": label, tabindex: "0" });
  const jump = h("button.jump", { type: "button", "aria-label": t("chat.jump"), title: t("chat.jump"), hidden: true });
  jump.append(icon("down"));
  const root = h("div.scroller", {}, list, jump);

  const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
  const toEnd = () => {
    list.scrollTop = list.scrollHeight;
    jump.hidden = true;
  };
  let follows = true;
  list.addEventListener("scroll", () => {
    follows = isAtEnd();
    if (follows) jump.hidden = true;
  });
  jump.addEventListener("click", toEnd);
  new ResizeObserver(() => follows && toEnd()).observe(list); // a keyboard on a phone makes it lower

  return {
    root,
    list,
    toEnd,
    /** @param {() => void} change draws the messages; afterwards the end is shown again if it was before */
    around(change) {
      const height = list.scrollHeight;
      change();
      if (follows) toEnd();
      else if (list.scrollHeight > height) jump.hidden = false;
    },
  };
}
