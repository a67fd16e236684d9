"""Updates about the account and its templates: sentences for the people who run the service. Contract: section 4.6."""

from __future__ import annotations

from typing import Any, Literal

from integrations.base import Fact, Nothing, Notice
from integrations.whatsapp.schemas import GraphProblem
from integrations.whatsapp.splitting import NOTICE_FIELDS
from integrations.whatsapp.wire import clean

Severity = Literal["info", "warning", "alert"]

_TEMPLATE_EVENTS: dict[str, tuple[str, Severity]] = {
    "APPROVED": ("одобрен", "info"),
    "PENDING": ("на проверке", "info"),
    "IN_APPEAL": ("на повторной проверке", "info"),
    "REINSTATED": ("снова разрешён", "info"),
    "REJECTED": ("отклонён", "warning"),
    "FLAGGED": ("получил предупреждение о качестве", "warning"),
    "PENDING_DELETION": ("будет удалён", "warning"),
    "DELETED": ("удалён", "warning"),
    "ARCHIVED": ("в архиве", "warning"),
    "PAUSED": ("приостановлен: не используйте его", "alert"),
    "DISABLED": ("выключен: не используйте его", "alert"),
}
_CALM_NUMBER_EVENTS = frozenset({"ONBOARDING", "UPGRADE", "UNFLAGGED", "THROUGHPUT_UPGRADE"})
_LONGEST = 300  # characters of one value in a sentence


def field_notice(field: str, value: Any) -> Fact:
    """The notice for an update of that field; Nothing for fields that nobody must act on."""
    if field not in NOTICE_FIELDS:
        return Nothing(f"updates of {clean(field)[:60]} are kept and not handled")
    facts = value if isinstance(value, dict) else {}
    event = _word(facts, "event")
    template = f"«{_word(facts, 'message_template_name')}» ({_word(facts, 'message_template_language')})"
    if field == "message_template_status_update":
        sentence, severity = _TEMPLATE_EVENTS.get(event, (f"изменился: {event}", "warning"))
        return Notice(f"WhatsApp: шаблон {template} {sentence}.{_reason(facts)}", severity)
    if field == "message_template_quality_update":
        old, new = _word(facts, "previous_quality_score"), _word(facts, "new_quality_score")
        return Notice(f"WhatsApp: качество шаблона {template}: было {old}, стало {new}.")
    if field == "template_category_update":
        old, new = _word(facts, "previous_category"), _word(facts, "new_category")
        return Notice(f"WhatsApp: категория шаблона {template}: была {old}, стала {new}. Цена и правила другие.")
    if field == "message_template_components_update":
        return Notice(f"WhatsApp: изменилось содержание шаблона {template}.")
    if field == "phone_number_quality_update":
        limit = _word(facts, "current_limit")
        calm: Severity = "info" if event in _CALM_NUMBER_EVENTS else "alert"
        return Notice(f"WhatsApp: качество номера: {event}, предел {limit}.", calm)
    if field == "phone_number_name_update":
        return Notice(f"WhatsApp: решение об имени номера: {_word(facts, 'decision')}.{_reason(facts)}")
    if field == "business_capability_update":
        return Notice("WhatsApp: изменились пределы аккаунта.", "info")
    return Notice(f"WhatsApp: {_ACCOUNT_FIELDS[field]}: {_account_event(facts, event)}.{_reason(facts)}", "alert")


_ACCOUNT_FIELDS = {
    "account_update": "изменение аккаунта",
    "account_alerts": "предупреждение аккаунту",
    "account_review_update": "проверка аккаунта",
    "security": "безопасность аккаунта",
}


def account_notice(problem: GraphProblem) -> Notice:
    """`value.errors` without messages or statuses: trouble of the account or of Meta."""
    return Notice(
        f"WhatsApp сообщает об ошибке {problem.code}: {(problem.details or 'без пояснения')[:_LONGEST]}", "alert"
    )


def _account_event(facts: dict[str, Any], event: str) -> str:
    known = [event] if event != "?" else [_word(facts, name) for name in ("decision", "alert_type") if name in facts]
    restrictions = facts.get("restriction_info")
    for restriction in restrictions if isinstance(restrictions, list) else ():
        if isinstance(restriction, dict):
            known.append(_word(restriction, "restriction_type"))
    return ", ".join(known) or "?"


def _reason(facts: dict[str, Any]) -> str:
    reason = facts.get("reason") or facts.get("rejection_reason")
    told = [reason] if isinstance(reason, str) and reason != "NONE" else []
    more = facts.get("rejection_info")
    if isinstance(more, dict):
        told += [text for name in ("reason", "recommendation") if isinstance(text := more.get(name), str)]
    return " Причина: " + "; ".join(clean(text)[:_LONGEST] for text in told) + "." if told else ""


def _word(facts: dict[str, Any], name: str) -> str:
    value = facts.get(name)
    return clean(str(value))[:_LONGEST] if isinstance(value, str | int) else "?"
