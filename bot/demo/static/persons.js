/** Who the two customers of this browser tab are. Each tab has people of its own, so visitors do not meet. */

import { language } from "./i18n.js";

/** @typedef {"whatsapp" | "telegram"} Channel */

const NAMES = {
  ru: { whatsapp: ["Анна", "Мария", "Елена", "Ольга", "Дарья"], telegram: ["Пётр", "Иван", "Олег", "Денис", "Артём"] },
  en: { whatsapp: ["Anna", "Maria", "Helen", "Olga", "Daria"], telegram: ["Peter", "Ivan", "Oleg", "Denis", "Mark"] },
};

/** @type {Partial<Record<Channel, string>>} */
const known = {};

/** @returns {Record<Channel, string>} */
export function persons() {
  return { whatsapp: person("whatsapp"), telegram: person("telegram") };
}

/**
 * @param {Channel} channel
 * @returns {string} from the address of the page (?whatsapp=…&telegram=…), from this tab, or new
 */
export function person(channel) {
  const asked = new URLSearchParams(location.search).get(channel)?.trim();
  return (known[channel] ??= asked || read(channel) || newPerson(channel));
}

/**
 * Let somebody new take the phone.
 * @param {Channel} channel
 */
export function newPerson(channel) {
  const names = NAMES[language()][channel];
  const bytes = crypto.getRandomValues(new Uint16Array(2));
  const name = `${names[bytes[0] % names.length]} ${100 + (bytes[1] % 900)}`;
  known[channel] = name;
  try {
    sessionStorage.setItem(`demo.${channel}`, name);
  } catch {
    // storage is switched off: the name lives as long as the page
  }
  return name;
}

/** @param {Channel} channel */
function read(channel) {
  try {
    return sessionStorage.getItem(`demo.${channel}`);
  } catch {
    return null;
  }
}
