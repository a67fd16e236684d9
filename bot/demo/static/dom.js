/** Building and updating elements. Text always goes in as text, so nothing a customer writes can become markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element: `h("button.primary", {type: "button", onclick: save}, "Save")`.
 * @param {string} name tag, then classes after dots
 * @param {Record<string, unknown>} [props] attributes; functions named on… are listeners; null and false are left out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement}
 */
export function h(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  const shown = children.flat().filter((child) => child || child === 0);
  element.append(.../** @type {(Node | string)[]} */ (shown));
  return element;
}

/**
 * Make the children of `parent` show `items`, keeping the elements of what has not changed: focus, half-written text
 * and finished animations survive.
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf unique within the list
 * @param {(item: T) => HTMLElement} render
 */
export function reconcile(parent, items, keyOf, render) {
  /** @type {Map<string, HTMLElement>} */
  const old = new Map();
  for (const child of /** @type {HTMLCollectionOf<HTMLElement>} */ (parent.children)) {
    old.set(child.dataset.key ?? "", child);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const looks = JSON.stringify(item);
    let element = old.get(key);
    const isNew = !element;
    if (!element || element.dataset.looks !== looks) {
      const fresh = render(item);
      fresh.dataset.key = key;
      fresh.dataset.looks = looks;
      if (element) {
        if (place === element) place = element.nextElementSibling;
        element.remove();
      }
      if (isNew) fresh.classList.add("appears");
      parent.insertBefore(fresh, place);
    } else if (element === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(element, place);
    }
    old.delete(key);
  }
  for (const gone of old.values()) gone.remove();
}
