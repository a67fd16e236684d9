/** The panel that breaks things, and the line that says what is happening and what to watch. */

import { post } from "./api.js";
import { caption } from "./caption.js";
import { h } from "./dom.js";
import { t, tn } from "./i18n.js";
import { icon } from "./icons.js";
import { notify, refresh, store } from "./store.js";
import { attempt } from "./toast.js";

const SYSTEMS = ["whatsapp", "telegram", "okdesk", "onec"];
const KINDS = ["none", "down", "slow", "lost_answer", "duplicate"];
const REMEMBER_MS = 15000; // how long the end of a trouble is worth a sentence

/** @type {{system: string, ended: (() => string) | null, endedAt: number, restarts: number | null}} */
const view = { system: "okdesk", ended: null, endedAt: 0, restarts: null };

export function trouble() {
  const tabs = SYSTEMS.map((system) =>
    h(
      "button",
      { type: "button", role: "tab", "data-system": system, onclick: () => pick(system) },
      h("i.lamp", {}),
      t(`name.${system}`),
    ),
  );
  const choices = KINDS.map((kind) => {
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "radio", name: "trouble", value: kind }));
    input.addEventListener("change", () => set(kind));
    const words = h("span", {}, h("b", {}, t(`trouble.${kind}`)), h("small", {}, t(`trouble.${kind}.about`)));
    return { kind, input, root: h("label.kind", {}, input, words) };
  });
  const group = h("div.kinds", { role: "radiogroup" }, choices.map((one) => one.root));
  const kill = h("button.danger", { type: "button", onclick: killWorker }, icon("bolt"), t("trouble.kill"));
  const line = happening();
  const systems = h("div.systems", { role: "tablist", "aria-label": t("trouble.systems") }, tabs);
  const root = h(
    "section.panel.trouble",
    { id: "trouble", "aria-label": t("panel.trouble") },
    caption("trouble", "bolt", h("small.presence", {}, t("trouble.subtitle"))),
    h("div.window", {}, systems, group, kill, line.root),
  );

  /** @param {string} system */
  function pick(system) {
    view.system = system;
    notify();
  }
  systems.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    pick(SYSTEMS[(SYSTEMS.indexOf(view.system) + step + SYSTEMS.length) % SYSTEMS.length]);
    tabs[SYSTEMS.indexOf(view.system)].focus();
  });

  /** @param {string} kind */
  async function set(kind) {
    const before = store.state.trouble[view.system] ?? "none";
    if (!(await attempt(() => post("/trouble", { system: view.system, what: kind })))) return update();
    if (kind === "none" && before !== "none") rememberEnd(view.system);
    else view.ended = null;
    await refresh();
  }

  async function killWorker() {
    const isDone = await attempt(() => post("/trouble", { system: "worker", what: "kill_worker" }));
    if (isDone) remember(() => t("now.killed"));
    await refresh();
  }

  function update() {
    const { trouble: now, service } = store.state;
    for (const tab of tabs) {
      const isOpen = tab.dataset.system === view.system;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
      tab.classList.toggle("is-broken", (now[tab.dataset.system ?? ""] ?? "none") !== "none");
    }
    group.setAttribute("aria-label", t("trouble.of", { system: t(`name.${view.system}`) }));
    for (const { kind, input } of choices) input.checked = (now[view.system] ?? "none") === kind;
    const before = view.restarts;
    view.restarts = service.restarts ?? before; // first: `remember` comes back here
    if (before !== null && (service.restarts ?? 0) > before) remember(() => t("now.restarted"));
    line.update();
  }
  return { root, update };
}

/** @param {string} system */
const rememberEnd = (system) => remember(() => t("now.ended", { system: t(`name.${system}`) }));

/** @param {() => string} sentence in the language of the moment it is shown */
function remember(sentence) {
  view.ended = sentence;
  view.endedAt = Date.now();
  setTimeout(notify, REMEMBER_MS + 50);
  notify();
}

/** The line itself; the phone layout shows a second one above the tabs. */
export function happening() {
  const text = h("p", {});
  const queue = h("p.queue", { hidden: true });
  const words = h("div", {}, text, queue);
  const root = h("div.happening", { role: "status", "aria-live": "polite" }, h("i.lamp", {}), words);
  return {
    root,
    update() {
      const { service } = store.state;
      const broken = SYSTEMS.filter((system) => (store.state.trouble[system] ?? "none") !== "none");
      const sentences = broken.map((system) => t(`now.${system}.${store.state.trouble[system]}`));
      if (service.worker_alive === false) sentences.unshift(t("now.worker_dead"));
      const isCalm = sentences.length === 0;
      const isFresh = Date.now() - view.endedAt < REMEMBER_MS;
      if (view.ended && isFresh && service.worker_alive !== false) sentences.push(view.ended());
      const isQuiet = sentences.length === 0;
      const said = isQuiet ? t("now.calm") : sentences.join(" ");
      if (text.textContent !== said) text.textContent = said; // a live region: only news is read aloud
      root.dataset.mood = isCalm ? (isQuiet ? "calm" : "ended") : "broken";
      const waiting = Object.entries(service.waiting ?? {}).filter(([, n]) => n > 0);
      queue.hidden = waiting.length === 0;
      const tail = waiting.map(([system, n]) => `${systemName(system)} — ${tn("now.messages", n)}`).join(", ");
      const counts = t("now.waiting", { list: tail });
      if (queue.textContent !== counts) queue.textContent = counts;
    },
  };
}

/** @param {string} system */
const systemName = (system) => (SYSTEMS.includes(system) ? t(`name.${system}`) : system);
