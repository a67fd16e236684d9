/** The list of options that slides up inside the phone, as WhatsApp shows long choices. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

/** @typedef {import("./store.js").Option} Option */

/**
 * @param {HTMLElement} screen where it slides up
 * @param {{title: string, options: Option[]}} what
 * @param {HTMLElement} from gets the focus back
 * @param {(option: Option) => void} choose
 */
export function openSheet(screen, { title, options }, from, choose) {
  screen.querySelector(".sheet-layer")?.remove();
  const close = () => {
    layer.remove();
    from.focus();
  };
  const rows = options.map((option) =>
    h(
      "button.sheet-row",
      {
        type: "button",
        "data-option": option.id,
        onclick: () => {
          close();
          choose(option);
        },
      },
      h(
        "span.sheet-text",
        {},
        h("b", {}, option.title),
        option.description ? h("small", {}, option.description) : null,
      ),
      h("span.radio", {}),
    ),
  );
  const shut = h("button.bare", { type: "button", "aria-label": t("close"), onclick: close }, icon("close"));
  const sheet = h(
    "div.sheet",
    { role: "dialog", "aria-modal": "true", "aria-label": title },
    h("header", {}, h("b", {}, title), shut),
    h("div.sheet-rows", {}, rows),
  );
  const layer = h("div.sheet-layer", {}, sheet);
  layer.addEventListener("click", (event) => event.target === layer && close());
  layer.addEventListener("keydown", (event) => {
    const stops = [shut, ...rows];
    const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const step = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1 }[event.key];
    if (event.key === "Escape") close();
    else if (step) {
      event.preventDefault();
      stops[(at + step + stops.length) % stops.length].focus();
    }
  });
  screen.append(layer);
  rows[0]?.focus();
}
