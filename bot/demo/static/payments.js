/** 1C: a bill and its payments for each issue. */

import { post } from "./api.js";
import { caption } from "./caption.js";
import { h, reconcile } from "./dom.js";
import { roubles } from "./format.js";
import { t, tn } from "./i18n.js";
import { icon } from "./icons.js";
import { refresh, store } from "./store.js";
import { attempt } from "./toast.js";

const USUAL_BILL = "3500"; // roubles

/** Amounts typed but not used yet, by issue. @type {Map<number, string>} */
const drafts = new Map();

/** @typedef {{id: number, number: string, title: string, total: number | null, paid: number}} Bill sums in kopecks */

export function payments() {
  const rows = h("div.bills", {});
  const empty = h("div.empty", {}, icon("coin"), h("p", {}, t("empty.onec")));
  const count = h("small.presence", {});
  const root = h(
    "section.panel.office.onec",
    { id: "onec", "aria-label": t("panel.onec") },
    caption("onec", "coin", count),
    h("div.window", {}, rows, empty),
  );

  function update() {
    const bills = store.state.issues.map(billOf).sort((one, other) => other.id - one.id);
    const open = bills.filter((one) => one.total !== null && one.paid < one.total).length;
    count.textContent = open ? tn("onec.open", open) : t("onec.none_open");
    empty.hidden = bills.length > 0 || !store.isLoaded;
    reconcile(rows, bills, (one) => String(one.id), row);
  }
  return { root, update };
}

/**
 * @param {import("./store.js").Issue} issue
 * @returns {Bill}
 */
function billOf(issue) {
  const payment = store.state.payments.find((one) => Number(one.issue_id) === Number(issue.id));
  return {
    id: Number(issue.id),
    number: String(issue.number ?? issue.id),
    title: String(issue.title ?? ""),
    total: payment ? Number(payment.total ?? payment.paid ?? 0) : null,
    paid: payment ? Number(payment.paid ?? 0) : 0,
  };
}

/** @param {Bill} bill */
function row(bill) {
  const due = bill.total === null ? null : Math.max(0, bill.total - bill.paid);
  const state = due === null ? "none" : due === 0 ? "paid" : bill.paid ? "partial" : "unpaid";
  const root = h(
    "article.bill",
    { "data-issue": bill.id, "data-state": state },
    h("header", {}, h("b", {}, `№ ${bill.number}`), h(`span.state.${state}`, {}, t(`onec.${state}`))),
    h("p.issue-title", {}, bill.title),
  );
  if (bill.total !== null) {
    const label = t("onec.progress", { id: bill.number });
    const bar = h("progress", { max: bill.total || 1, value: bill.paid, "aria-label": label });
    root.append(bar, h("p.sums", {}, h("b", {}, roubles(bill.paid)), t("onec.of", { total: roubles(bill.total) })));
  }
  if (due === null) root.append(newBill(bill));
  else if (due > 0) {
    const part = due >= 20000 ? Math.round(due / 20000) * 10000 : Math.ceil(due / 2); // half, in whole hundreds
    const buttons = [pay(bill, due, "onec.pay_all", "primary")];
    if (part < due) buttons.push(pay(bill, part, "onec.pay_part", "plain"));
    root.append(h("footer", {}, buttons));
  }
  return root;
}

/**
 * @param {Bill} bill
 * @param {number} kopecks
 * @param {string} words
 * @param {string} look
 */
function pay(bill, kopecks, words, look) {
  const button = h(`button.${look}`, { type: "button" }, t(words, { amount: roubles(kopecks) }));
  button.addEventListener("click", () => send({ issue_id: bill.id, amount: kopecks / 100 }));
  return button;
}

/** @param {Bill} bill */
function newBill(bill) {
  const label = t("onec.amount", { id: bill.number });
  const input = /** @type {HTMLInputElement} */ (
    h("input", { type: "text", inputmode: "decimal", maxlength: "12", "aria-label": label })
  );
  input.value = drafts.get(bill.id) ?? USUAL_BILL;
  input.addEventListener("input", () => drafts.set(bill.id, input.value));
  const money = h("span.money", {}, input, h("span", { "aria-hidden": "true" }, "₽"));
  const form = h("form.new-bill", {}, money, h("button.primary", { type: "submit" }, t("onec.issue")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send({ issue_id: bill.id, amount: input.value, what: "invoice" });
  });
  return form;
}

/** @param {object} payment as POST /demo/api/payments takes it */
async function send(payment) {
  await attempt(() => post("/payments", payment));
  await refresh();
}
