/** The bar at the top: name, connection, language, colours, start over. */

import { post } from "./api.js";
import { h } from "./dom.js";
import { language, setLanguage, t } from "./i18n.js";
import { icon } from "./icons.js";
import { forgetSteps } from "./story.js";
import { refresh, store } from "./store.js";
import { attempt, toast } from "./toast.js";

/** @typedef {"auto" | "light" | "dark"} Theme */

/** @type {Theme[]} */
const THEMES = ["auto", "light", "dark"];
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

/** @param {() => void} rebuild draws the whole page again, in another language */
export function header(rebuild) {
  const lamp = h("span.connection", { role: "status" });
  const langs = /** @type {const} */ (["ru", "en"]).map((lang) => {
    const name = { ru: "Русский", en: "English" }[lang];
    const isOn = String(language() === lang);
    const button = h("button", { type: "button", lang, "aria-label": name, title: name, "aria-pressed": isOn });
    button.textContent = lang.toUpperCase();
    button.addEventListener("click", () => {
      setLanguage(lang);
      rebuild();
      /** @type {HTMLElement | null} */ (document.querySelector(`.languages [lang=${lang}]`))?.focus();
    });
    return button;
  });
  const theme = h("button.tool", { type: "button" });
  const showTheme = () => {
    const now = currentTheme();
    theme.replaceChildren(icon(THEME_ICONS[now]));
    theme.setAttribute("aria-label", t(`theme.${now}`));
    theme.title = t(`theme.${now}`);
  };
  theme.addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(currentTheme()) + 1) % THEMES.length]);
    showTheme();
  });
  showTheme();
  const reset = h("button.tool.wide", { type: "button", title: t("reset.hint"), "aria-label": t("reset") });
  reset.append(icon("reset"), h("span", {}, t("reset")));
  reset.addEventListener("click", async () => {
    if (!(await attempt(() => post("/reset")))) return;
    forgetSteps();
    await refresh();
    toast(t("reset.done"));
  });
  const logo = h("img", { src: "/demo/static/icon.svg", alt: "", width: "28", height: "28" });
  const root = h(
    "header.top",
    {},
    h("span.brand", {}, logo, h("b", {}, "Fixit Exchange"), h("span.tag", {}, t("tag"))),
    lamp,
    h("div.tools", {}, h("div.languages", { role: "group", "aria-label": t("language") }, langs), theme, reset),
  );

  function update() {
    const isWorking = store.state.service.worker_alive !== false;
    const key = store.connection === "live" ? (isWorking ? "live" : "worker_dead") : store.connection;
    const words = t(`connection.${key}`);
    lamp.dataset.state = key;
    if (lamp.textContent !== words) lamp.replaceChildren(h("i.lamp", {}), h("span", {}, words));
  }
  return { root, update };
}

/** @returns {Theme} */
function currentTheme() {
  return /** @type {Theme} */ (document.documentElement.dataset.theme ?? "auto");
}

/** @param {Theme} theme */
function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("demo.theme", theme);
  } catch {
    // storage is switched off: the choice lives as long as the page
  }
}
