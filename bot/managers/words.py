"""What the service itself says to managers, in Russian and English."""

from __future__ import annotations

_WORDS: dict[str, tuple[str, str]] = {
    "card_open": ("Клиент ждёт человека.", "A customer is waiting for a person."),
    "card_closed": (
        "Клиент ждёт человека (написал в нерабочее время).",
        "A customer is waiting for a person (wrote outside business hours).",
    ),
    "card_failed": (
        "Разговор с ботом сломался, клиент ждёт человека.",
        "The bot could not go on; a customer is waiting for a person.",
    ),
    "card_queue": ("Очередь: {queue}", "Queue: {queue}"),
    "card_step": ("Шаг: {step}", "Step: {step}"),
    "card_help": (
        "Пишите здесь: клиент получит ваши слова. Строка, которая начинается с //, останется заметкой.",
        "Write here: the customer gets your words. A line that begins with // stays a note.",
    ),
    "files": ("{number} шт.", "{number}"),
    "give_back": ("Вернуть боту", "Back to the bot"),
    "close": ("Закрыть", "Close"),
    "customer": ("Клиент", "Customer"),
    "edited": (" (исправил)", " (edited)"),
    "handoff_returned": ("Разговор снова ведёт бот. {who}", "The bot has the talk again. {who}"),
    "handoff_closed": ("Разговор закрыт. {who}", "The talk is closed. {who}"),
    "handoff_nobody": (
        "Никто не ответил вовремя, разговор вернулся боту.",
        "Nobody answered in time; the bot goes on.",
    ),
    "parked": (
        "24 часа с последнего сообщения клиента прошли, сообщение ждёт, пока он напишет.\n{who}: {text}",
        "24 hours since the customer's last message are over; this message waits until they write.\n{who}: {text}",
    ),
    "undelivered": (
        "Сообщение клиенту не доставлено: {reason}\n{who}",
        "A message to a customer was not delivered: {reason}\n{who}",
    ),
    "no_flow": ("Сообщение, которое никто не взял.\n{who}: {text}", "A message that no flow took.\n{who}: {text}"),
    "failed": ("Диалог {dialog} остановлен ошибкой: {reason}", "Dialog {dialog} was stopped by an error: {reason}"),
    "moved": ("Клиент сменил номер.\n{who}: {old} → {new}", "A customer changed the number.\n{who}: {old} → {new}"),
    "no_handoff": (
        "Этот разговор уже не у вас: бот его ведёт или он закрыт.",
        "This talk is not with you any more: the bot has it, or it is closed.",
    ),
    "unposted": (
        "1С отменила проведение документа по заказу {number}. Проверьте оплату.",
        "1C un-posted a document of order {number}. Check the payment.",
    ),
    "unmatched": (
        "1С: {title}. Не удалось понять, к какому диалогу это относится.",
        "1C: {title}. Could not tell which dialog it belongs to.",
    ),
    "notice": ("Внимание: {text}", "Attention: {text}"),
}


def word(name: str, lang: str, **values: str) -> str:
    """The sentence `name`; values are put in as they are."""
    russian, english = _WORDS[name]
    return (russian if lang == "ru" else english).format(**values).strip()
