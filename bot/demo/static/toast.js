/** Short notices in the corner, and the one place where a failed call is told to the visitor. */

import { ApiError } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t, tOr } from "./i18n.js";

/**
 * @param {string} text
 * @param {"error" | "info"} [kind]
 */
export function toast(text, kind = "info") {
  const area = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  for (const shown of [...area.children].slice(0, -1)) shown.remove();
  const box = h(`div.toast.${kind}`, {}, icon(kind === "error" ? "alert" : "check"), h("span", {}, text));
  const shut = h("button.bare", { type: "button", "aria-label": t("close"), onclick: () => box.remove() });
  shut.append(icon("close"));
  box.append(shut);
  area.append(box);
  setTimeout(() => box.remove(), kind === "error" ? 9000 : 4000);
}

/** @param {unknown} error */
export function inWords(error) {
  if (error instanceof ApiError) return tOr(`error.${error.code}`, error.message);
  return t("error.failed");
}

/**
 * Do what the visitor asked for and tell it if it failed.
 * @param {() => Promise<unknown>} act
 * @returns {Promise<boolean>} whether it was done
 */
export async function attempt(act) {
  try {
    await act();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) console.error(error);
    toast(inWords(error), "error");
    return false;
  }
}
