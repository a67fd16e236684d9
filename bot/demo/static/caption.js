/** The line above a panel: its picture, its name, and what is said of it. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";

/**
 * @param {string} panel also names the colour of the badge
 * @param {string} picture
 * @param {HTMLElement} below the second, smaller line
 * @param {...HTMLElement} tools at the right end
 */
export function caption(panel, picture, below, ...tools) {
  const titles = h("span.titles", {}, h("h2", {}, t(`panel.${panel}`)), below);
  return h("header.caption", {}, h(`span.badge.${panel}`, {}, icon(picture)), titles, ...tools);
}
