"""A talk in the hands of people: the card, the customer's words to the topic, the buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bot.managers.words import word
from bot.turns.base import Turn
from dialogs.dialog import Dialog
from dialogs.effects import CloseHandoff, ForwardToManager, OpenHandoff, SendMessage
from dialogs.events import File
from dialogs.texts import rub
from storage.outbox import NewDelivery
from storage.unit import Contact, Conversation

CHANNEL_TITLES = {"whatsapp": "WhatsApp", "telegram": "Telegram"}
LANG = "ru"  # of the managers' group


def to_topic(
    turn: Turn,
    conversation: Conversation,
    text: str,
    *,
    group: str = "managers",
    files: Sequence[File] = (),
    buttons: Sequence[Sequence[dict[str, str]]] = (),
    is_card: bool = False,
) -> None:
    """Order a message into the customer's topic; it is made if there is none."""
    chat_id = turn.service.groups.chat_of(group)
    if chat_id is None:
        return
    contact = turn.unit.contact(conversation.contact_id)
    params: dict[str, Any] = {
        "conversation_id": conversation.id,
        "chat_id": chat_id,
        "title": topic_title(contact, conversation),
        "text": text,
    }
    if buttons:
        params["buttons"] = [list(row) for row in buttons]
    if files:
        params["files"] = [{**asdict(file), "channel": conversation.channel} for file in files]
    if is_card:
        params["is_card"] = True
    turn.unit.send(
        NewDelivery(
            key=f"{turn.order_key}/topic.{len(turn.unit.delivered)}",
            system="telegram",
            action="to_topic",
            recipient=f"{chat_id}:c{conversation.id}",
            params=params,
            created_at=turn.unit.now,
            conversation_id=conversation.id,
        )
    )


def topic_title(contact: Contact, conversation: Conversation) -> str:
    name = contact.variables.get("name") or contact.name or contact.username or conversation.address
    return f"{name} · {CHANNEL_TITLES.get(conversation.channel, conversation.channel)}"[:120]


def opened(
    turn: Turn, contact: Contact | None, conversation: Conversation | None, dialog: Dialog, effect: OpenHandoff
) -> None:
    if contact is None or conversation is None:
        return
    project = turn.flows.project
    queue = project.queues.get(effect.queue)
    lines = [
        word("card_failed" if effect.reason == "failed" else "card_open" if effect.is_open else "card_closed", LANG),
        word("card_queue", LANG, queue=queue.title if queue else effect.queue),
        "",
        *_about(turn, contact, conversation, dialog),
        "",
        word("card_help", LANG),
    ]
    data = f"h:{conversation.id}"
    buttons = [
        [
            {"text": word("give_back", LANG), "data": f"{data}:bot"},
            {"text": word("close", LANG), "data": f"{data}:close"},
        ]
    ]
    to_topic(turn, conversation, "\n".join(lines).strip(), group=effect.group, buttons=buttons, is_card=True)
    for line in last_words(turn, conversation):
        to_topic(turn, conversation, line, group=effect.group)


def _about(turn: Turn, contact: Contact, conversation: Conversation, dialog: Dialog) -> list[str]:
    """Answers with their titles; phone and address stand here too: the group of a queue may see them."""
    lines = [f"{topic_title(contact, conversation)}"]
    if contact.phone:
        lines.append(contact.phone)
    for frame in dialog.frames:
        program = turn.flows.program(frame.flow, frame.version)
        titles = program.titles(program.flow.lang)
        values = {**contact.variables, **frame.variables}
        for name, variable in program.flow.variables.items():
            value = values.get(name)
            if variable.title and value not in (None, "", []):
                line = f"{variable.title}: {_shown(variable.type, value, titles(name))}"
                if line not in lines:
                    lines.append(line)
    lines.append(word("card_step", LANG, step=f"{dialog.top.flow}.{dialog.top.step}"))
    return lines


def _shown(type_: str, value: Any, titles: Mapping[str, str]) -> str:
    if type_ == "choice":
        return titles.get(str(value), str(value))
    if type_ == "money" and isinstance(value, int):
        return rub(value)
    if type_ == "file_list" and isinstance(value, list):
        return word("files", LANG, number=str(len(value)))
    if type_ == "list" and isinstance(value, list):
        return str(len(value))
    return str(value)


def last_words(turn: Turn, conversation: Conversation) -> list[str]:
    """What the customer wrote last, so that nobody asks again."""
    found = turn.unit.last_messages(conversation.id, limit=4)
    return ["\n".join(found)] if found else []


def forward(turn: Turn, contact: Contact | None, conversation: Conversation | None, effect: ForwardToManager) -> None:
    """The customer's words to the topic."""
    if contact is None or conversation is None:
        return
    name = contact.variables.get("name") or contact.name or word("customer", LANG)
    mark = word("edited", LANG) if effect.is_edit else ""
    text = f"{name}{mark}: {effect.text or ''}".rstrip()
    to_topic(turn, conversation, text, files=effect.files)


def ended(turn: Turn, conversation: Conversation | None, dialog: Dialog, effect: CloseHandoff) -> None:
    if conversation is None:
        return
    who = str(turn.data.get("manager") or "")
    text = word(f"handoff_{effect.outcome}", LANG, who=who)
    to_topic(turn, conversation, text)
    edit_card(turn, conversation, text)


def edit_card(turn: Turn, conversation: Conversation, text: str) -> None:
    """The buttons of the card are done with: they give way to what happened."""
    if not conversation.card_message_id or conversation.group_chat_id is None:
        return
    turn.unit.send(
        NewDelivery(
            key=f"{turn.order_key}/card.{len(turn.unit.delivered)}",
            system="telegram",
            action="edit_group",
            recipient=f"{conversation.group_chat_id}:c{conversation.id}",
            params={
                "chat_id": conversation.group_chat_id,
                "thread_id": conversation.thread_id or None,
                "message_id": conversation.card_message_id,
                "text": text,
                "buttons": [],
            },
            created_at=turn.unit.now,
            conversation_id=conversation.id,
        )
    )
    conversation.card_message_id = None
    conversation.is_changed = True


def parked(turn: Turn, conversation: Conversation, message: SendMessage) -> None:
    """A message waits because the 24-hour window is closed: the managers are told, once in a turn."""
    if turn.data.get("told_parked") == conversation.id:
        return
    turn.data["told_parked"] = conversation.id
    contact = turn.unit.contact(conversation.contact_id)
    alert(turn, word("parked", LANG, who=topic_title(contact, conversation), text=message.text[:300]))


def alert(turn: Turn, text: str, *, group: str = "managers", key: str | None = None) -> None:
    """A notice to the managers' group, outside the topics."""
    chat_id = turn.service.groups.chat_of(group)
    if chat_id is None:
        return
    turn.unit.send(
        NewDelivery(
            key=key or f"{turn.order_key}/alert.{len(turn.unit.delivered)}",
            system="telegram",
            action="send_group",
            recipient=str(chat_id),
            params={"chat_id": chat_id, "text": text},
            created_at=turn.unit.now,
        )
    )
