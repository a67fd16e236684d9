"""One transaction's view of people and their dialogs: read in bulk, changed in memory, written in bulk.

A batch of turns touches each table once or twice, however many turns it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Connection, insert, or_, select, text, update

from storage import inbox, outbox
from storage.hot import Insert, Row, Statement, update_of
from storage.ids import Ids
from storage.inbox import NewEvent, Settled
from storage.outbox import NewDelivery, Taken
from storage.tables import (
    contact_addresses,
    contacts,
    conversations,
    deliveries,
    dialogs,
    early_statuses,
    goals,
    issues,
    links,
    messages,
    payments,
    subject_states,
    turns,
)


@dataclass(slots=True)
class Contact:
    id: int
    name: str | None
    username: str | None
    lang: str | None
    phone: str | None
    phone_is_proven: bool
    variables: dict[str, Any]
    created_at: int
    is_new: bool = False
    is_changed: bool = False


@dataclass(slots=True)
class Conversation:
    id: int
    contact_id: int
    channel: str
    account: str
    address: str
    event_key: str
    last_in_at: int | None
    last_at: int
    had_dialog: bool
    unreachable: str | None = None
    alerted_at: int | None = None
    apologized_at: int | None = None
    group_chat_id: int | None = None
    thread_id: int | None = None
    card_message_id: int | None = None
    is_new: bool = False
    is_changed: bool = False
    is_touched: bool = False  # only its times changed


@dataclass(slots=True)
class DialogRow:
    id: int
    conversation_id: int | None
    contact_id: int | None
    channel: str
    flow: str
    version: int
    step: str
    status: str
    tag: str | None
    turn: int
    state: str
    created_at: int
    updated_at: int
    is_new: bool = False
    is_changed: bool = False
    is_moved: bool = False  # only its step, turn, state and time changed


_CONTACT_COLUMNS = ("id", "name", "username", "lang", "phone", "phone_is_proven", "variables", "created_at")
_CONVERSATION_COLUMNS = (
    "id",
    "contact_id",
    "channel",
    "account",
    "address",
    "event_key",
    "last_in_at",
    "last_at",
    "had_dialog",
    "unreachable",
    "alerted_at",
    "apologized_at",
    "group_chat_id",
    "thread_id",
    "card_message_id",
)
_DIALOG_COLUMNS = (
    "id",
    "conversation_id",
    "contact_id",
    "channel",
    "flow",
    "version",
    "step",
    "status",
    "tag",
    "turn",
    "state",
    "created_at",
    "updated_at",
)

_AT_ADDRESSES = (
    f"select a.address, {', '.join(f'c.{name}' for name in _CONTACT_COLUMNS)}"  # noqa: S608
    " from contact_addresses a join contacts c on c.id = a.contact_id"
    " where a.channel = :channel and a.address in :names[]"
)
_CONTACTS_AT = Statement(_AT_ADDRESSES, types={"names": "text"})
_CONTACTS_AT_LOCKED = Statement(_AT_ADDRESSES + " order by c.id for update of c", types={"names": "text"})
_CONTACTS = Statement(
    f"select {', '.join(_CONTACT_COLUMNS)} from contacts where id in :ids[]",  # noqa: S608
    types={"ids": "bigint"},
)
_CONTACTS_LOCKED = Statement(
    f"select {', '.join(_CONTACT_COLUMNS)} from contacts where id in :ids[] order by id for update",  # noqa: S608
    types={"ids": "bigint"},
)
_CONVERSATIONS = Statement(
    f"select {', '.join(_CONVERSATION_COLUMNS)} from conversations where contact_id in :ids[]",  # noqa: S608
    types={"ids": "bigint"},
)
_DIALOGS = Statement(
    f"select {', '.join(_DIALOG_COLUMNS)} from dialogs where contact_id in :ids[] and status <> 'closed'",  # noqa: S608
    types={"ids": "bigint"},
)
_DIALOG = Statement(f"select {', '.join(_DIALOG_COLUMNS)} from dialogs where id = :id")  # noqa: S608

_INSERT_CONTACT = Insert(contacts, *_CONTACT_COLUMNS)
_INSERT_ADDRESS = Insert(contact_addresses, "channel", "address", "contact_id", "created_at")
_INSERT_CONVERSATION = Insert(conversations, *_CONVERSATION_COLUMNS)
_INSERT_DIALOG = Insert(dialogs, *_DIALOG_COLUMNS)
_INSERT_TURN = Insert(
    turns, "dialog_id", "turn", "event_id", "event", "at", "from_step", "to_step", "version", "trace", "effects"
)
_INSERT_MESSAGE = Insert(
    messages,
    "id",
    "conversation_id",
    "dialog_id",
    "direction",
    "kind",
    "author",
    "text",
    "files",
    "status",
    "external_id",
    "at",
)
_DIALOG_OF_MESSAGE, _TEXT_OF_MESSAGE = 2, 6
_SET_TIMER = Statement(
    "insert into timers (dialog_id, name, turn, due_at, event_key)"
    " values (:dialog_id, :name, :turn, :due_at, :event_key)"
    " on conflict (dialog_id, name) do update set"
    " turn = excluded.turn, due_at = excluded.due_at, event_key = excluded.event_key"
)
_INSERT_GOAL = Insert(goals, "flow", "version", "goal", "dialog_id", "at")
_INSERT_LINK = Insert(links, "subject", "dialog_id", "created_at")
_UPDATE_CONTACT = update_of(contacts, *_CONTACT_COLUMNS[1:-1])
_UPDATE_CONVERSATION = update_of(conversations, *_CONVERSATION_COLUMNS[4:])
_TOUCH_CONVERSATION = update_of(conversations, "last_in_at", "last_at")  # what every message changes: no index
_CHANGING = ("step", "status", "tag", "turn", "state", "updated_at", "version")
_UPDATE_DIALOG = update_of(dialogs, *_CHANGING)
_MOVE_DIALOG = update_of(dialogs, "step", "turn", "state", "updated_at")  # what every turn changes

_contact_row = attrgetter("id", "name", "username", "lang", "phone", "phone_is_proven")
_conversation_row = attrgetter(*_CONVERSATION_COLUMNS)
_conversation_change = attrgetter(*_CONVERSATION_COLUMNS[4:], "id")
_conversation_touch = attrgetter("last_in_at", "last_at", "id")
_dialog_row = attrgetter(*_DIALOG_COLUMNS)
_dialog_change = attrgetter(*_CHANGING, "id")
_dialog_move = attrgetter("step", "turn", "state", "updated_at", "id")
_DELETE_TIMER = Statement("delete from timers where dialog_id = :dialog_id and name = :name")
_DELETE_TIMERS = Statement("delete from timers where dialog_id = :dialog_id")
_MESSAGE_BY_EXTERNAL = Statement("select id, rank, status from messages where external_id = :external_id")
_REPORT = Statement("update messages set status = :status, rank = :rank, error = :error where id = :id")
_FAIL = Statement("update messages set status = 'failed', error = :error where id = :id")


@dataclass(slots=True)
class UnitOfWork:
    """The rows of one transaction. Nothing is written before `flush`, and nothing is committed here."""

    conn: Connection
    now: int  # milliseconds
    ids: Ids
    contacts: dict[int, Contact] = field(default_factory=dict)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    dialogs: dict[int, DialogRow] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    delivered: list[NewDelivery] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    _addresses: dict[tuple[str, str], int | None] = field(default_factory=dict)
    _of_contact: set[int] = field(default_factory=set)
    _conversations_of: dict[int, list[Conversation]] = field(default_factory=dict)
    _dialogs_of: dict[int, list[DialogRow]] = field(default_factory=dict)
    _new_addresses: list[Row] = field(default_factory=list)
    _turns: list[Row] = field(default_factory=list)
    _messages: dict[int, list[Any]] = field(default_factory=dict)
    _timers: dict[tuple[int, str], Row | None] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)
    _links: dict[tuple[str, int], None] = field(default_factory=dict)
    _goals: list[Row] = field(default_factory=list)
    _wishes: dict[str, NewDelivery] = field(default_factory=dict)
    _unpark: set[int] = field(default_factory=set)
    has_unparked: bool = False  # something that waited for the customer to write may go: known after `flush`
    taken_along: set[int] = field(default_factory=set)  # events that an earlier one of this transaction settled
    questions_left: set[str] = field(default_factory=set)  # keys of people whose open question was answered

    def next_id(self) -> int:
        return self.ids.next(self.conn)

    # ------------------------------------------------------------------------------------------------- reading

    def load(self, addresses: Iterable[tuple[str, str]] = (), contact_ids: Iterable[int] = ()) -> None:
        """Read people with their conversations and open dialogs; in PostgreSQL their rows stay locked."""
        wanted = [key for key in dict.fromkeys(addresses) if key not in self._addresses]
        is_postgres = self.conn.dialect.name == "postgresql"
        by_channel: dict[str, list[str]] = {}
        for channel, address in wanted:
            by_channel.setdefault(channel, []).append(address)
            self._addresses[channel, address] = None
        found: set[int] = set()
        at_addresses = _CONTACTS_AT_LOCKED if is_postgres else _CONTACTS_AT
        for channel, names in by_channel.items():
            for address, *values in at_addresses.all(self.conn, channel=channel, names=names):
                self._addresses[channel, address] = values[0]
                self._add_contact(values, found)
        ids = sorted({id_ for id_ in contact_ids if id_ not in self._of_contact})
        if ids:
            for row in (_CONTACTS_LOCKED if is_postgres else _CONTACTS).all(self.conn, ids=ids):
                self._add_contact(row, found)
            self._of_contact.update(ids)
        if not found:
            return
        ids = sorted(found)
        for row in _CONVERSATIONS.all(self.conn, ids=ids):
            talk = Conversation(*row)
            talk.had_dialog = bool(talk.had_dialog)
            self._add_conversation(talk)
        for row in _DIALOGS.all(self.conn, ids=ids):
            self._add_dialog(DialogRow(*row))

    def _add_contact(self, row: Row, found: set[int]) -> None:
        """Keep a contact that was read, if it was not known before."""
        id_ = row[0]
        if id_ in self._of_contact:
            return
        self._of_contact.add(id_)
        found.add(id_)
        self.contacts[id_] = Contact(id_, row[1], row[2], row[3], row[4], bool(row[5]), orjson.loads(row[6]), row[7])

    def _add_conversation(self, conversation: Conversation) -> None:
        self.conversations[conversation.id] = conversation
        self._conversations_of.setdefault(conversation.contact_id, []).append(conversation)

    def _add_dialog(self, row: DialogRow) -> None:
        self.dialogs[row.id] = row
        if row.contact_id is not None:
            self._dialogs_of.setdefault(row.contact_id, []).append(row)

    def contact_at(self, channel: str, address: str) -> Contact | None:
        if (channel, address) not in self._addresses:
            self.load([(channel, address)])
        contact_id = self._addresses[channel, address]
        return None if contact_id is None else self.contact(contact_id)

    def contact(self, contact_id: int) -> Contact:
        if contact_id not in self.contacts:
            self.load(contact_ids=[contact_id])
        return self.contacts[contact_id]

    def conversations_of(self, contact_id: int) -> list[Conversation]:
        self.contact(contact_id)
        found = self._conversations_of.get(contact_id, [])
        return found if len(found) < 2 else sorted(found, key=_last_heard, reverse=True)

    def conversation(self, conversation_id: int) -> Conversation:
        if conversation_id not in self.conversations:
            owner = self.conn.execute(
                select(conversations.c.contact_id).where(conversations.c.id == conversation_id)
            ).scalar_one()
            self.load(contact_ids=[owner])
        return self.conversations[conversation_id]

    def knows_conversation(self, conversation_id: int) -> bool:
        """False: its person was erased, or was forgotten with the years."""
        if conversation_id in self.conversations:
            return True
        query = select(conversations.c.id).where(conversations.c.id == conversation_id)
        return self.conn.execute(query).first() is not None

    def conversation_in_thread(self, group_chat_id: int, thread_id: int) -> Conversation | None:
        found = self.conn.execute(
            select(conversations.c.id).where(
                conversations.c.group_chat_id == group_chat_id, conversations.c.thread_id == thread_id
            )
        ).scalar()
        return None if found is None else self.conversation(found)

    def open_dialogs(self, contact_id: int, *, channel: str | None = None) -> list[DialogRow]:
        """The last active first."""
        self.contact(contact_id)
        found = [
            d
            for d in self._dialogs_of.get(contact_id, ())
            if d.status != "closed" and (channel is None or d.channel == channel)
        ]
        return found if len(found) < 2 else sorted(found, key=_last_active, reverse=True)

    def dialog(self, dialog_id: int) -> DialogRow | None:
        """A dialog, open or not."""
        if dialog_id not in self.dialogs:
            found = _DIALOG.first(self.conn, id=dialog_id)
            if found is None:
                return None
            row = DialogRow(*found)
            if row.contact_id is not None:
                self.load(contact_ids=[row.contact_id])
            if dialog_id not in self.dialogs:
                self._add_dialog(row)
        return self.dialogs[dialog_id]

    def contacts_with_phone(self, phone: str) -> list[Contact]:
        query = select(contacts.c.id).where(contacts.c.phone == phone)
        known = [row.id for row in self.conn.execute(query)]
        known += [c.id for c in self.contacts.values() if c.phone == phone and c.id not in known]
        self.load(contact_ids=known)
        return [self.contacts[id_] for id_ in known]

    def dialogs_linked_to(self, subject: str) -> list[DialogRow]:
        """Open dialogs of a subject, the last active first."""
        query = select(links.c.dialog_id).where(links.c.subject == subject)
        found = {row.dialog_id for row in self.conn.execute(query)}
        found |= {dialog_id for name, dialog_id in self._links if name == subject}
        rows = [row for row in map(self.dialog, found) if row is not None and row.status != "closed"]
        return sorted(rows, key=_last_active, reverse=True)

    def move_group(self, old: int, new: int) -> None:
        """A managers' group has a new id and new topics."""
        self.conn.execute(
            update(conversations)
            .where(conversations.c.group_chat_id == old)
            .values(group_chat_id=new, thread_id=None, card_message_id=None)
        )
        self.conn.execute(
            text("update deliveries set params = replace(params, :old, :new) where state < 3 and system = 'telegram'"),
            {"old": f'"chat_id":{old}', "new": f'"chat_id":{new}'},
        )
        self.conn.execute(
            text(
                "update deliveries set recipient = replace(recipient, :old, :new)"
                " where state < 3 and system = 'telegram'"
            ),
            {"old": str(old), "new": str(new)},
        )

    def last_messages(self, conversation_id: int, *, limit: int) -> list[str]:
        """The newest words of both sides, oldest first, for people."""
        rows = self.conn.execute(
            select(messages.c.direction, messages.c.text, messages.c.kind)
            .where(messages.c.conversation_id == conversation_id)
            .order_by(messages.c.at.desc(), messages.c.id.desc())
            .limit(limit)
        ).fetchall()
        found = [(row.direction, row.text or row.kind) for row in reversed(rows)]
        found += [
            (direction, text or kind)
            for _, where, _, direction, kind, _, text, *_ in self._messages.values()
            if where == conversation_id
        ]
        return [f"{'→' if direction == 'in' else '←'} {words}" for direction, words in found[-limit:]]

    def waiting_of_key(self, key: str, *, limit: int) -> list[Any]:
        """The waiting events of a key in their order."""
        return list(
            self.conn.execute(
                text(
                    "select id, source, kind, external_id, body, received_at from events"
                    " where key = :key and state = 0 order by position, id limit :limit"
                ),
                {"key": key, "limit": limit},
            )
        )

    def subjects_of(self, dialog_id: int) -> list[str]:
        """What a dialog is linked to."""
        query = select(links.c.subject).where(links.c.dialog_id == dialog_id).order_by(links.c.subject)
        found = [row.subject for row in self.conn.execute(query)]
        return found + [s for s, id_ in self._links if id_ == dialog_id and s not in found]

    def has_links(self, dialog_id: int) -> bool:
        return bool(self.subjects_of(dialog_id))

    def issue_status(self, issue_id: int) -> str | None:
        return self.conn.execute(select(issues.c.status).where(issues.c.id == issue_id)).scalar()

    def subject_state(self, key: str) -> Any | None:
        return subject_state(self.conn, key, locked=True)

    # ---------------------------------------------------------- what is held here, for who commits none of it

    @property
    def turns(self) -> Sequence[Row]:
        """Rows of the journal, as `add_turn` made them."""
        return self._turns

    @property
    def timers(self) -> list[tuple[int, str, int]]:
        """Timers that are set: dialog, name, time."""
        return [(row[0], row[1], row[3]) for row in self._timers.values() if row is not None]

    def text_of(self, message_id: int) -> str | None:
        return self._messages[message_id][_TEXT_OF_MESSAGE] if message_id in self._messages else None

    # ------------------------------------------------------------------------------------------------- changing

    def add_contact(self, *, name: str | None, username: str | None, lang: str | None, phone: str | None) -> Contact:
        made = Contact(self.next_id(), name, username, lang, phone, phone is not None, {}, self.now, is_new=True)
        self.contacts[made.id] = made
        self._of_contact.add(made.id)
        return made

    def add_address(self, contact: Contact, channel: str, address: str) -> None:
        self._addresses[channel, address] = contact.id
        self._new_addresses.append((channel, address, contact.id, self.now))

    def move_address(self, contact: Contact, channel: str, address: str) -> None:
        """An address that belonged to another contact belongs to this one from now on."""
        self._addresses[channel, address] = contact.id
        self.conn.execute(
            update(contact_addresses)
            .where(contact_addresses.c.channel == channel, contact_addresses.c.address == address)
            .values(contact_id=contact.id)
        )

    def add_conversation(self, contact: Contact, *, channel: str, account: str, address: str, key: str) -> Conversation:
        made = Conversation(
            self.next_id(), contact.id, channel, account, address, key, None, self.now, had_dialog=False, is_new=True
        )
        self._add_conversation(made)
        return made

    def add_dialog(self, row: DialogRow) -> None:
        row.is_new = True
        self._add_dialog(row)

    def add_turn(
        self,
        *,
        dialog_id: int,
        turn: int,
        event_id: int,
        event: str,
        at: int,
        from_step: str | None,
        to_step: str | None,
        version: int | None,
        trace: str,
        effects: str,
    ) -> None:
        self._turns.append((dialog_id, turn, event_id, event, at, from_step, to_step, version, trace, effects))

    def add_message(
        self,
        *,
        conversation_id: int,
        dialog_id: int | None,
        direction: str,
        kind: str,
        text: str | None,
        status: str,
        at: int,
        files: Any = None,
        external_id: str | None = None,
        author: str | None = None,
    ) -> int:
        id_ = self.next_id()
        self._messages[id_] = [
            id_,
            conversation_id,
            dialog_id,
            direction,
            kind,
            author,
            text,
            None if not files else orjson.dumps(files).decode(),
            status,
            external_id,
            at,
        ]
        return id_

    def put_message_into(self, message_id: int, dialog_id: int | None) -> None:
        """A message of this transaction turned out to belong to that dialog."""
        self._messages[message_id][_DIALOG_OF_MESSAGE] = dialog_id

    def set_timer(self, dialog_id: int, name: str, *, due_at: int, turn: int, event_key: str) -> None:
        self._timers[dialog_id, name] = (dialog_id, name, turn, due_at, event_key)

    def cancel_timer(self, dialog_id: int, name: str) -> None:
        self._timers[dialog_id, name] = None

    def end_timers(self, dialog_id: int) -> None:
        self._ended.add(dialog_id)
        for key in [key for key in self._timers if key[0] == dialog_id]:
            del self._timers[key]

    def link(self, subject: str, dialog_id: int) -> None:
        self._links[subject, dialog_id] = None

    def add_goal(self, *, flow: str, version: int, goal: str, dialog_id: int) -> None:
        self._goals.append((flow, version, goal, dialog_id, self.now))

    def send(self, delivery: NewDelivery) -> None:
        """A wish whose key is surely new (it holds the dialog and the turn)."""
        self.delivered.append(delivery)

    def wish(self, delivery: NewDelivery) -> None:
        """A wish that may have been made before under the same key: then only its end is waited for."""
        before = self._wishes.get(delivery.key)
        if before is None:
            self._wishes[delivery.key] = delivery
        else:
            merged = (*before.waiters, *delivery.waiters)
            self._wishes[delivery.key] = NewDelivery(**{**_fields(before), "waiters": merged})

    def unpark(self, conversation_id: int) -> None:
        self._unpark.add(conversation_id)

    def is_settled(self, event_id: int) -> bool:
        """An earlier event of this transaction took it along (pictures of one album)."""
        return event_id in self.taken_along

    def save_subject_state(self, key: str, state: Any) -> None:
        written = orjson.dumps(state, default=str).decode()
        changed = self.conn.execute(
            update(subject_states).where(subject_states.c.key == key).values(state=written, updated_at=self.now)
        )
        if changed.rowcount == 0:
            self.conn.execute(insert(subject_states).values(key=key, state=written, updated_at=self.now))

    def save_issue(self, issue_id: int, *, number: str | None, **values: Any) -> None:
        known = {name: value for name, value in values.items() if value is not None}
        changed = self.conn.execute(update(issues).where(issues.c.id == issue_id).values(**known, updated_at=self.now))
        if changed.rowcount == 0:
            self.conn.execute(
                insert(issues).values(id=issue_id, number=number or str(issue_id), **known, updated_at=self.now)
            )

    def save_payment(self, subject: str, **values: Any) -> None:
        changed = self.conn.execute(
            update(payments).where(payments.c.subject == subject).values(**values, updated_at=self.now)
        )
        if changed.rowcount == 0:
            self.conn.execute(insert(payments).values(subject=subject, **values, updated_at=self.now))

    def report_message(
        self, *, channel: str, external_id: str, status: str, rank: int, at: int, error: str | None
    ) -> bool:
        """Note what became of a message of ours; only upwards. False: we do not know the message (yet)."""
        found = _MESSAGE_BY_EXTERNAL.first(self.conn, external_id=external_id)
        if found is None:
            known = self.conn.execute(
                select(early_statuses.c.rank).where(early_statuses.c.external_id == external_id)
            ).scalar()
            values = {"channel": channel, "status": status, "rank": rank, "error": error, "at": at}
            if known is None:
                self.conn.execute(insert(early_statuses).values(external_id=external_id, **values))
            elif rank > known:
                self.conn.execute(
                    update(early_statuses).where(early_statuses.c.external_id == external_id).values(**values)
                )
            return False
        message_id, known_rank, _ = found
        if status == "failed":
            if known_rank < DELIVERED_RANK:
                _FAIL.run(self.conn, id=message_id, error=error)
        elif rank > known_rank:
            _REPORT.run(self.conn, id=message_id, status=status, rank=rank, error=None)
        return True

    # -------------------------------------------------------------------------------------------------- writing

    def flush(self, starter: outbox.Starter | None = None) -> list[Taken]:
        """Write everything. The order keeps a row before those that name it.

        Returns the deliveries that `starter` begins to send once this is committed.
        """
        conn = self.conn
        self._flush_people()
        _INSERT_TURN.many(conn, self._turns)
        _INSERT_MESSAGE.many(conn, list(self._messages.values()))
        self._flush_timers()
        if self._links:
            self._flush_links()
        _INSERT_GOAL.many(conn, self._goals)
        self.has_unparked = outbox.unpark(conn, self._unpark, now=self.now) > 0
        self._flush_wishes()
        begun = outbox.add(conn, self.delivered, starter=starter)
        if self.events:
            inbox.put(conn, self.events)
        inbox.settle(conn, self.settled, now=self.now)
        return begun

    def _flush_people(self) -> None:
        conn = self.conn
        people = self.contacts.values()
        _INSERT_CONTACT.many(conn, [(*_contact_values(c), c.created_at) for c in people if c.is_new])
        changed = [c for c in people if c.is_changed and not c.is_new]
        _UPDATE_CONTACT.many(conn, [(*_contact_values(c)[1:], c.id) for c in changed])
        _INSERT_ADDRESS.many(conn, self._new_addresses)
        talks = self.conversations.values()
        _INSERT_CONVERSATION.many(conn, [_conversation_row(t) for t in talks if t.is_new])
        _UPDATE_CONVERSATION.many(conn, [_conversation_change(t) for t in talks if t.is_changed and not t.is_new])
        touched = [t for t in talks if t.is_touched and not t.is_changed and not t.is_new]
        _TOUCH_CONVERSATION.many(conn, [_conversation_touch(t) for t in touched])
        rows = self.dialogs.values()
        _INSERT_DIALOG.many(conn, [_dialog_row(d) for d in rows if d.is_new])
        _UPDATE_DIALOG.many(conn, [_dialog_change(d) for d in rows if d.is_changed and not d.is_new])
        moved = [d for d in rows if d.is_moved and not d.is_changed and not d.is_new]
        _MOVE_DIALOG.many(conn, [_dialog_move(d) for d in moved])

    def _flush_timers(self) -> None:
        conn = self.conn
        _DELETE_TIMERS.many(conn, [(dialog_id,) for dialog_id in self._ended])
        _DELETE_TIMER.many(conn, [key for key, row in self._timers.items() if row is None])
        _SET_TIMER.many(conn, [row for row in self._timers.values() if row is not None])

    def _flush_links(self) -> None:
        wanted = list(self._links)
        query = select(links.c.subject, links.c.dialog_id).where(
            or_(*(((links.c.subject == s) & (links.c.dialog_id == d)) for s, d in wanted))
        )
        known = {(row.subject, row.dialog_id) for row in self.conn.execute(query)}
        _INSERT_LINK.many(self.conn, [(*link, self.now) for link in wanted if link not in known])

    def _flush_wishes(self) -> None:
        """A wish under a known key: its end is told again, or will be when it comes."""
        if not self._wishes:
            return
        known = outbox.by_keys(self.conn, list(self._wishes))
        for key, wish in self._wishes.items():
            row = known.get(key)
            if row is None:
                self.delivered.append(wish)
            elif row.state in (DONE_STATE, DEAD_STATE):
                self.events += [
                    finished_event(
                        dict(waiter),
                        key=key,
                        action=wish.action,
                        ok=row.state == DONE_STATE,
                        result=orjson.loads(row.result) if row.result else {},
                        code=row.code,
                        message=row.error,
                        now=self.now,
                        again=True,
                    )
                    for waiter in wish.waiters
                ]
            else:
                waiters = orjson.loads(row.waiters) if row.waiters else []
                outbox.set_waiters(self.conn, row.id, [*waiters, *map(dict, wish.waiters)])


DELIVERED_RANK = 3
DONE_STATE = 4
DEAD_STATE = 5


def _last_heard(conversation: Conversation) -> tuple[int, int]:
    return conversation.last_in_at or 0, conversation.last_at


def _last_active(row: DialogRow) -> tuple[int, int]:
    return row.updated_at, row.id


def subject_state(conn: Connection, key: str, *, locked: bool = False) -> Any | None:
    """What is remembered under a key; `locked` until the transaction ends (PostgreSQL)."""
    query = select(subject_states.c.state).where(subject_states.c.key == key)
    if locked and conn.dialect.name == "postgresql":
        query = query.with_for_update()
    found = conn.execute(query).scalar()
    return None if found is None else orjson.loads(found)


def finished_event(
    waiter: dict[str, Any],
    *,
    key: str,
    action: str,
    ok: bool,
    result: Any,
    code: str | None,
    message: str | None,
    now: int,
    again: bool = False,
    life: int = 1,
) -> NewEvent:
    """The end of an action as an event of the dialog that waits for it.

    `life`: which of its ends this is; a dead one may have been sent again.
    """
    body = {
        **waiter,
        "key": key,
        "action": action,
        "ok": ok,
        "result": result,
        "code": code,
        "message": message,
    }
    return NewEvent(
        source="outbox",
        external_id=f"{key}@{waiter['dialog_id']}" + (f".{waiter['turn']}" if again else "") + life_mark(life),
        kind="effect_finished",
        key=waiter["event_key"],
        body=orjson.dumps(body, default=str),
        received_at=now,
    )


def life_mark(life: int) -> str:
    """What tells the events about a later life of a delivery from those about its first one."""
    return "" if life == 1 else f"~{life}"


def _fields(delivery: NewDelivery) -> dict[str, Any]:
    return {name: getattr(delivery, name) for name in NewDelivery.__slots__}


def _contact_values(contact: Contact) -> Row:
    """All but the time it was made."""
    return (*_contact_row(contact), orjson.dumps(contact.variables).decode())


__all__ = ["Contact", "Conversation", "DialogRow", "UnitOfWork", "deliveries", "finished_event", "life_mark"]
