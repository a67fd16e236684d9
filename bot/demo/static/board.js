/** The Okdesk board: a card for each issue, a column for each status. */

import { post } from "./api.js";
import { caption } from "./caption.js";
import { h, reconcile } from "./dom.js";
import { clock, phone } from "./format.js";
import { t, tn } from "./i18n.js";
import { icon } from "./icons.js";
import { refresh, store } from "./store.js";
import { attempt, toast } from "./toast.js";

/** @typedef {import("./store.js").Issue} Issue */

const STATUSES = ["opened", "in_progress", "delayed", "completed", "closed"];

/** Comments begun but not sent, by issue; a card with a draft stays open. @type {Map<number, string>} */
const drafts = new Map();

export function board() {
  const empty = h("div.empty", {}, icon("board"), h("p", {}, t("empty.okdesk")));
  const count = h("small.presence", {});
  const columns = STATUSES.map((status) => column(status));
  const root = h(
    "section.panel.office.okdesk",
    { id: "okdesk", "aria-label": t("panel.okdesk") },
    caption("okdesk", "board", count),
    h("div.board", {}, columns.map((one) => one.root), empty),
  );

  function update() {
    const issues = [...store.state.issues].sort((one, other) => Number(other.id) - Number(one.id));
    if (issues.length) count.replaceChildren(tn("okdesk.count", issues.length), h("span.hint", {}, t("okdesk.hint")));
    else count.textContent = t("okdesk.none");
    empty.hidden = issues.length > 0 || !store.isLoaded;
    root.classList.toggle("is-empty", issues.length === 0);
    for (const one of columns) one.update(issues.filter((issue) => issue.status === one.status));
  }
  return { root, update };
}

/** @param {string} status */
function column(status) {
  const cards = h("div.cards", {});
  const count = h("span.count", {});
  const name = t(`okdesk.${status}`);
  const title = h("h3", {}, h("i.dot", {}), name, count);
  const root = h("section.column", { "data-status": status, "aria-label": name }, title, cards);
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("is-target");
  });
  root.addEventListener("dragleave", () => root.classList.remove("is-target"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("is-target");
    const id = Number(event.dataTransfer?.getData("text/plain"));
    const issue = store.state.issues.find((one) => one.id === id);
    if (!issue || issue.status === status) return;
    if (canBecome(issue, status)) move(id, status);
    else toast(t("okdesk.cannot", { from: t(`okdesk.${issue.status}`), to: t(`okdesk.${status}`) }), "error");
  });
  return {
    root,
    status,
    /** @param {Issue[]} issues */
    update(issues) {
      count.textContent = String(issues.length);
      root.classList.toggle("has-none", issues.length === 0);
      reconcile(cards, issues, (issue) => String(issue.id), card);
    },
  };
}

/**
 * @param {number} id
 * @param {string} status
 */
async function move(id, status) {
  await attempt(() => post(`/issues/${id}/status`, { status }));
  await refresh();
}

/**
 * @param {Issue} issue
 * @param {string} status
 */
function canBecome(issue, status) {
  return !issue.next_statuses || issue.next_statuses.some((/** @type {{code: string}} */ next) => next.code === status);
}

/** @param {Issue} issue */
function card(issue) {
  const last = (issue.comments ?? []).at(-1);
  const choices = STATUSES.filter((status) => status === issue.status || canBecome(issue, status)).map((status) =>
    h("option", { value: status, selected: status === issue.status }, t(`okdesk.${status}`)),
  );
  const select = /** @type {HTMLSelectElement} */ (
    h("select", { "aria-label": t("okdesk.change", { id: issue.id }) }, choices)
  );
  select.addEventListener("change", () => move(issue.id, select.value));
  const form = commentForm(issue);
  const opener = h(
    "button.quiet",
    {
      type: "button",
      "aria-expanded": String(!form.hidden),
      "aria-label": t("okdesk.comment_to", { id: issue.id }),
      title: t("okdesk.comment"),
    },
    icon("comment"),
  );
  opener.addEventListener("click", () => {
    form.hidden = !form.hidden;
    opener.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.querySelector("input")?.focus();
    else drafts.delete(issue.id);
  });
  const root = h(
    "article.issue",
    { draggable: "true", "data-issue": issue.id },
    h(
      "header",
      {},
      h("b", {}, `№ ${issue.number ?? issue.id}`),
      issue.rate ? h("span.rate", {}, rating(issue.rate)) : null,
      h("time", {}, clock(issue.created_at)),
    ),
    h("p.issue-title", {}, issue.title ?? ""),
    facts(issue),
    last ? h("p.issue-comment", { title: last.text }, icon("comment"), h("span", {}, last.text)) : null,
    h("footer", {}, select, opener),
    form,
  );
  root.addEventListener("dragstart", (event) => event.dataTransfer?.setData("text/plain", String(issue.id)));
  return root;
}

/** @param {Issue} issue */
function facts(issue) {
  const files = (issue.files ?? []).length;
  const name = (issue.contact ?? "").replace(/^—\s*/, ""); // Okdesk wants a surname; ours is a dash
  const who = [name, phone(issue.phone)].filter(Boolean).join(", ");
  return h(
    "ul.facts",
    {},
    who ? h("li", {}, icon("person"), who) : null,
    issue.address ? h("li", {}, icon("pin"), issue.address) : null,
    files ? h("li", {}, icon("clip"), tn("okdesk.files", files)) : null,
  );
}

/** @param {unknown} rate Okdesk keeps a word */
const rating = (rate) => ({ good: "🙂", normal: "😐", bad: "🙁" })[String(rate)] ?? String(rate);

/** @param {Issue} issue */
function commentForm(issue) {
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "text",
      maxlength: "1000",
      "aria-label": t("okdesk.comment_to", { id: issue.id }),
      placeholder: t("okdesk.comment_placeholder"),
    })
  );
  input.value = drafts.get(issue.id) ?? "";
  input.addEventListener("input", () => drafts.set(issue.id, input.value));
  const button = h("button.send", { type: "submit", "aria-label": t("okdesk.comment_send") }, icon("send"));
  const form = h("form.comment", { hidden: !drafts.has(issue.id) }, input, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    drafts.delete(issue.id);
    const isDone = await attempt(() => post(`/issues/${issue.id}/comment`, { text }));
    if (!isDone) drafts.set(issue.id, text);
    else form.hidden = true;
    await refresh();
  });
  return form;
}
