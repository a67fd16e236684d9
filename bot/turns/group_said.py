"""What happens in the managers' group: words for a customer, notes, buttons, commands."""

from __future__ import annotations

from sqlalchemy import select

from bot.managers import handoff
from bot.managers.words import word
from bot.turns import converse
from bot.turns.base import Turn
from dialogs.effects import SendMessage
from dialogs.events import ManagerActed
from integrations.base import GroupMoved, GroupSaid
from storage.tables import deliveries
from storage.unit import Conversation

NOTE = "//"
COMMANDS = {"bot": "returned", "close": "closed"}


def handle(turn: Turn, fact: GroupSaid) -> None:
    turn.data["manager"] = fact.manager_name
    if fact.press is not None:
        _press(turn, fact)
        return
    conversation = _conversation(turn, fact)
    if conversation is None:
        turn.ignored = "a message of the group that belongs to no customer"
        return
    text = (fact.text or "").strip()
    if text.startswith(NOTE):
        turn.ignored = "an internal note"
        return
    if text.startswith("/"):
        name = text[1:].split(maxsplit=1)[0].partition("@")[0].lower() if len(text) > 1 else ""
        if name in COMMANDS:
            _end(turn, conversation, COMMANDS[name], fact)
        else:
            turn.ignored = f"no such command: /{name[:40]}"
        return
    _say(turn, conversation, fact)


def moved(turn: Turn, fact: GroupMoved) -> None:
    """The group became a supergroup: its id changed, and its topics are gone."""
    groups = turn.service.groups
    turn.after.append(lambda: groups.moved(fact.old_chat_id, fact.new_chat_id))
    turn.unit.move_group(fact.old_chat_id, fact.new_chat_id)
    turn.unit.save_subject_state(moved_key(fact.old_chat_id), {"new": fact.new_chat_id})


def moved_key(chat_id: int) -> str:
    """Under which it is remembered that a group has a new id: the settings still name the old one."""
    return f"telegram:group:{chat_id}"


def _conversation(turn: Turn, fact: GroupSaid) -> Conversation | None:
    if fact.thread_id is not None:
        return turn.unit.conversation_in_thread(fact.chat_id, fact.thread_id)
    if fact.reply_to is not None:  # a group without topics: the answer names the message it answers
        found = turn.unit.conn.execute(
            select(deliveries.c.conversation_id).where(
                deliveries.c.external_id == f"{fact.chat_id}:{fact.reply_to}",
                deliveries.c.conversation_id.is_not(None),
            )
        ).scalar()
        return turn.unit.conversation(found) if found is not None and turn.unit.knows_conversation(found) else None
    return None


def _press(turn: Turn, fact: GroupSaid) -> None:
    """Buttons of the card: h:CONVERSATION:bot|close."""
    parts = (fact.press or "").split(":")
    if len(parts) != 3 or parts[0] != "h" or not parts[1].isdigit() or parts[2] not in COMMANDS:
        turn.ignored = "a button that is not ours"
        return
    if not turn.unit.knows_conversation(int(parts[1])):
        turn.ignored = "the customer of this button is not known any more"
        return
    conversation = turn.unit.conversation(int(parts[1]))
    _end(turn, conversation, COMMANDS[parts[2]], fact)


def _end(turn: Turn, conversation: Conversation, action: str, fact: GroupSaid) -> None:
    handed_off = [
        d for d in turn.unit.open_dialogs(conversation.contact_id, channel=conversation.channel)
        if d.status == "handed_off"
    ]  # fmt: skip
    if not handed_off:
        handoff.to_topic(turn, conversation, word("no_handoff", handoff.LANG))
        turn.ignored = "this talk is not handed off"
        return
    converse.in_dialog(
        turn,
        handed_off[0].id,
        ManagerActed(turn.event_id, turn.now, action, manager=fact.manager_name),  # type: ignore[arg-type]
    )


def _say(turn: Turn, conversation: Conversation, fact: GroupSaid) -> None:
    """The manager's words to the customer; in a handoff through the dialog, so that the journal has them."""
    handed_off = [
        d for d in turn.unit.open_dialogs(conversation.contact_id, channel=conversation.channel)
        if d.status == "handed_off"
    ]  # fmt: skip
    if handed_off:
        said = ManagerActed(turn.event_id, turn.now, "say", text=fact.text, files=fact.files, manager=fact.manager_name)
        converse.in_dialog(turn, handed_off[0].id, said, author=fact.manager_name)
        return
    from bot.turns.store import send_message

    message = SendMessage(fact.text or "", files=fact.files)
    send_message(turn, conversation, message, key=turn.order_key, author=fact.manager_name)
    turn.result = "sent"
