"""Events and actions in plain words. A name that is not here is shown as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_EVENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "okdesk.issue_created": ("появилась заявка", "an issue was opened"),
        "okdesk.status_changed": ("новый статус заявки", "the issue has a new status"),
        "okdesk.comment_added": ("комментарий к заявке", "a comment on the issue"),
        "okdesk.assignee_changed": ("новый исполнитель", "the issue has a new assignee"),
        "okdesk.deadline_changed": ("новый срок заявки", "the issue has a new deadline"),
        "okdesk.rated": ("заявку оценили", "the issue was rated"),
        "okdesk.issue_deleted": ("заявку удалили", "the issue was deleted"),
        "onec.payment_changed": ("новость об оплате из 1С", "payment news from 1C"),
        "onec.invoice_issued": ("счёт из 1С", "an invoice from 1C"),
        "onec.order_status_changed": ("новый статус заказа в 1С", "the order has a new status in 1C"),
        "onec.order_shipped": ("заказ отгружен в 1С", "the order was shipped in 1C"),
        "order.created": ("новый заказ", "a new order"),
        "order.status_changed": ("новый статус заказа", "the order has a new status"),
        "order.problem": ("трудность с заказом", "trouble with an order"),
        "site.form_sent": ("форма с сайта", "a form from the web site"),
        "effect.done": ("долгое действие удалось", "the late action is done"),
        "effect.failed": ("долгое действие не удалось", "the late action failed"),
    }
)

_ACTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "okdesk.create_issue": ("Создать заявку в Okdesk", "Open an issue in Okdesk"),
        "okdesk.add_comment": ("Комментарий в Okdesk", "Comment in Okdesk"),
        "okdesk.change_status": ("Статус заявки в Okdesk", "Status of the issue in Okdesk"),
        "okdesk.rate_issue": ("Оценка в Okdesk", "Rate the issue in Okdesk"),
        "okdesk.get_issue": ("Узнать заявку в Okdesk", "Look up the issue in Okdesk"),
        "okdesk.find_issues": ("Найти заявки в Okdesk", "Find issues in Okdesk"),
        "okdesk.find_contact": ("Найти контакт в Okdesk", "Find the contact in Okdesk"),
        "onec.get_payment": ("Узнать оплату в 1С", "Look up the payment in 1C"),
        "onec.create_order": ("Создать заказ в 1С", "Create the order in 1C"),
        "onec.create_invoice": ("Создать счёт в 1С", "Create the invoice in 1C"),
        "telegram.notify": ("Сотрудникам в Telegram", "To the staff in Telegram"),
        "order.find": ("Найти заказы", "Find orders"),
        "order.get": ("Узнать заказ", "Look up the order"),
        "order.cancel": ("Отменить заказ", "Cancel the order"),
    }
)


def event_name(name: str, lang: str) -> str:
    return _said(_EVENTS, name, lang)


def action_name(name: str, lang: str) -> str:
    return _said(_ACTIONS, name, lang)


def _said(table: Mapping[str, tuple[str, str]], name: str, lang: str) -> str:
    words = table.get(name)
    return name if words is None else words[0] if lang == "ru" else words[1]
