/** The line to write in: a growing text box, an attachment menu, a send button. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

/** What was begun but not sent, by name of the composer: survives a change of language. @type {Map<string, string>} */
const drafts = new Map();

/**
 * @param {object} how
 * @param {string} how.name
 * @param {string} how.label accessible name of the text box
 * @param {string} how.placeholder
 * @param {(text: string) => void} how.send
 * @param {{icon: string, label: string, act: () => void}[]} [how.attachments]
 */
export function composer({ name, label, placeholder, send, attachments = [] }) {
  const box = /** @type {HTMLTextAreaElement} */ (
    h("textarea", { rows: "1", maxlength: "4096", "aria-label": label, placeholder, enterkeyhint: "send" })
  );
  box.value = drafts.get(name) ?? "";
  const button = /** @type {HTMLButtonElement} */ (
    h("button.send", { type: "submit", "aria-label": t("chat.send"), title: t("chat.send") }, icon("send"))
  );

  const grow = () => {
    drafts.set(name, box.value);
    button.disabled = !box.value.trim();
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 110)}px`;
  };
  const submit = () => {
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    grow();
    send(text);
    box.focus();
  };
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });

  const attach = attachments.length ? menu(attachments) : null;
  const form = h("form.composer", { "data-composer": name }, attach, box, button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  queueMicrotask(grow);
  return {
    root: form,
    focus: () => box.focus(),
    /** @param {string} text */
    setPlaceholder: (text) => {
      if (box.placeholder !== text) box.placeholder = text;
    },
  };
}

/** @param {{icon: string, label: string, act: () => void}[]} attachments */
function menu(attachments) {
  const button = h("button.attach", {
    type: "button",
    "aria-label": t("chat.attach"),
    title: t("chat.attach"),
    "aria-haspopup": "menu",
    "aria-expanded": "false",
  });
  button.append(icon("plus"));
  const items = attachments.map(({ icon: name, label, act }) =>
    h(
      "button",
      {
        type: "button",
        role: "menuitem",
        onclick: () => {
          show(false);
          button.focus();
          act();
        },
      },
      icon(name),
      label,
    ),
  );
  const popup = h("div.attach-menu", { role: "menu", hidden: true }, items);
  const root = h("div.attach-box", {}, button, popup);

  /** @param {boolean} isOpen */
  function show(isOpen) {
    popup.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) items[0].focus();
  }
  button.addEventListener("click", () => show(popup.hidden));
  root.addEventListener("keydown", (event) => {
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Escape" && !popup.hidden) {
      show(false);
      button.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && at >= 0) {
      event.preventDefault();
      items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length].focus();
    }
  });
  root.addEventListener("focusout", (event) => {
    if (!root.contains(/** @type {Node | null} */ (event.relatedTarget))) show(false);
  });
  return root;
}
