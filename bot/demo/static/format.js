/** Times, money and phones as people write them. */

import { language } from "./i18n.js";

/**
 * @param {string | number | undefined} at ISO 8601, or milliseconds
 * @returns {string} 14:05, or an empty text
 */
export function clock(at) {
  const moment = new Date(at ?? Number.NaN);
  if (Number.isNaN(moment.getTime())) return "";
  return moment.toLocaleTimeString(language() === "ru" ? "ru-RU" : "en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** @param {number} kopecks */
export function roubles(kopecks) {
  return new Intl.NumberFormat(language() === "ru" ? "ru-RU" : "en-GB", {
    style: "currency",
    currency: "RUB",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: kopecks % 100 === 0 ? 0 : 2,
  }).format(kopecks / 100);
}

/** @param {string | null | undefined} e164 */
export function phone(e164) {
  const parts = /^\+7(\d{3})(\d{3})(\d{2})(\d{2})$/.exec(e164 ?? "");
  return parts ? `+7 ${parts[1]} ${parts[2]}-${parts[3]}-${parts[4]}` : (e164 ?? "");
}

/** @param {string} name */
export const initial = (name) => [...name.trim()][0]?.toUpperCase() ?? "?";
