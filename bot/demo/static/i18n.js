/** The words of the page, in the visitor's language. */

import en from "./words.en.js";
import ru from "./words.ru.js";

/** @typedef {"ru" | "en"} Language */

/** @type {Record<Language, Record<string, string>>} */
const WORDS = { ru, en };

/** @returns {Language} */
export const language = () => (document.documentElement.lang === "en" ? "en" : "ru");

/** @param {Language} lang */
export function setLanguage(lang) {
  document.documentElement.lang = lang;
  try {
    localStorage.setItem("demo.lang", lang);
  } catch {
    // storage is switched off: the choice lives as long as the page
  }
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values] for the {names} in the text
 */
export function t(key, values = {}) {
  const text = WORDS[language()][key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Words for a key that may not exist.
 * @param {string} key
 * @param {string} otherwise
 */
export const tOr = (key, otherwise) => (key in WORDS[language()] ? t(key) : otherwise);

/**
 * @param {string} key its texts are KEY.one, KEY.few, KEY.many (as Intl.PluralRules names them; English: one, other)
 * @param {number} n
 */
export function tn(key, n) {
  const form = new Intl.PluralRules(language()).select(n);
  return tOr(`${key}.${form}`, t(`${key}.many`)).replace("{n}", String(n));
}
