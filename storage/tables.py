"""Every table. Times: `storage.clock`; money: kopecks; JSON only where the shape is somebody else's."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# In SQLite only a column of exactly INTEGER is the row's own number: found without an index, and given by itself.
RowId = BigInteger().with_variant(Integer, "sqlite")


class EventState(IntEnum):
    """`held` is a waiting event that waits for a question to be left; the outside sees it as waiting."""

    WAITING = 0
    DONE = 1
    IGNORED = 2
    DEAD = 3
    HELD = 4


class DeliveryState(IntEnum):
    """`parked` waits for the customer to write again; the outside sees it as waiting."""

    WAITING = 0
    SENDING = 1
    UNKNOWN = 2
    PARKED = 3
    DONE = 4
    DEAD = 5
    CANCELLED = 6


OPEN_DELIVERY = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.UNKNOWN)

batches = Table(
    "batches",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),  # a request that held several events, as sent
    Column("received_at", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("minute", BigInteger, nullable=False),  # of the event's own time; 0 where the contract gives none
    Column("source", String(40), nullable=False),
    Column("external_id", String(400), nullable=False),
    Column("kind", String(80), nullable=False),
    Column("key", String(200), nullable=False),  # handled one after another
    Column("position", BigInteger, nullable=False),  # order within the key, then id
    Column("state", SmallInteger, nullable=False),
    Column("due_at", BigInteger),  # not before; null = now
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("received_at", BigInteger, nullable=False),
    Column("processed_at", BigInteger),
    Column("dialog_id", BigInteger),
    Column("order_id", BigInteger),
    Column("batch_id", BigInteger),
    Column("result", String(40)),  # what the turn said of it, for callers that wait for the answer
    Column("error", Text),
    Column("headers", Text),  # JSON, secrets masked
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("minute", "source", "external_id"),
    sqlite_autoincrement=True,
)
# `id > 0` is always true. It is there for PostgreSQL's planner, to which both partial indexes of waiting events look
# empty: only the statement that says `id > 0` itself may use this one, so the claim by key cannot take it by mistake.
Index(
    "ix_events_waiting",
    events.c.id,
    sqlite_where=text("state = 0 and id > 0"),
    postgresql_where=text("state = 0 and id > 0"),
)
Index(
    "ix_events_waiting_key",
    events.c.key,
    events.c.position,
    events.c.id,
    sqlite_where=text("state = 0"),
    postgresql_where=text("state = 0"),
)
Index(
    "ix_events_held",
    events.c.key,
    events.c.due_at,
    sqlite_where=text("state = 4"),
    postgresql_where=text("state = 4"),
)
Index("ix_events_dead", events.c.id, sqlite_where=text("state = 3"), postgresql_where=text("state = 3"))
Index(
    "ix_events_dialog",
    events.c.dialog_id,
    events.c.id,
    sqlite_where=text("dialog_id is not null"),  # most of the time nothing to add when an event comes in
    postgresql_where=text("dialog_id is not null"),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("event_id", BigInteger, nullable=False, index=True),  # the event that came first
    Column("received_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the other body under the same id
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("name", String(200)),
    Column("username", String(100)),
    Column("lang", String(8)),
    Column("phone", String(20), index=True),  # E.164, proven by a channel or given in a dialog
    Column("phone_is_proven", Boolean, nullable=False, server_default=text("false")),
    Column("variables", Text, nullable=False),  # JSON: variables with scope contact
    Column("created_at", BigInteger, nullable=False),
)

contact_addresses = Table(
    "contact_addresses",
    metadata,
    Column("channel", String(20), nullable=False),
    Column("address", String(200), nullable=False),
    Column("contact_id", BigInteger, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("channel", "address"),
    sqlite_with_rowid=False,  # found by its key only
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("account", String(100), nullable=False),  # our number or bot
    Column("address", String(200), nullable=False),  # where answers go
    Column("event_key", String(200), nullable=False),  # key of its events in the inbox
    Column("last_in_at", BigInteger),  # the customer's last message: opens the 24-hour window
    Column("last_at", BigInteger, nullable=False),
    Column("had_dialog", Boolean, nullable=False, server_default=text("false")),
    Column("unreachable", String(200)),  # why nothing can be sent there
    Column("alerted_at", BigInteger),  # last alert about a message that nobody took
    Column("apologized_at", BigInteger),  # what was written before that and came too late is answered by it
    Column("group_chat_id", BigInteger),  # the managers' group and topic of this customer
    Column("thread_id", BigInteger),
    Column("card_message_id", BigInteger),
    UniqueConstraint("contact_id", "channel", "account"),
    Index("ix_conversations_thread", "group_chat_id", "thread_id"),
    Index("ix_conversations_address", "address"),
)

dialogs = Table(
    "dialogs",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger),  # null: no customer takes part
    Column("contact_id", BigInteger),
    Column("channel", String(20), nullable=False),
    Column("flow", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("step", String(90), nullable=False),  # FLOW.STEP of the top of the stack
    Column("status", String(12), nullable=False),  # active, handed_off, closed
    Column("tag", String(12)),  # how it ended
    Column("turn", Integer, nullable=False),
    Column("state", Text, nullable=False),  # JSON of dialogs.dialog
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
Index(
    "ix_dialogs_open",
    dialogs.c.contact_id,
    sqlite_where=text("status <> 'closed'"),
    postgresql_where=text("status <> 'closed'"),
)
Index("ix_dialogs_conversation", dialogs.c.conversation_id, dialogs.c.id)
Index("ix_dialogs_updated", dialogs.c.updated_at)

turns = Table(
    "turns",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("dialog_id", BigInteger, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("event_id", BigInteger),
    Column("event", String(80), nullable=False),  # what happened, in one word
    Column("at", BigInteger, nullable=False),
    Column("from_step", String(90)),
    Column("to_step", String(90)),
    Column("version", Integer),  # of the flow of `to_step`
    Column("trace", Text, nullable=False),  # JSON: what decided
    Column("effects", Text, nullable=False),  # JSON: what was ordered
    Index("ix_turns_dialog", "dialog_id", "turn"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("dialog_id", BigInteger),
    Column("direction", String(3), nullable=False),  # in, out
    Column("kind", String(20), nullable=False),
    Column("author", String(60)),  # null: the customer or the bot; otherwise the manager
    Column("text", Text),
    Column("files", Text),  # JSON
    Column("status", String(20), nullable=False),
    Column("rank", SmallInteger, nullable=False, server_default=text("0")),
    Column("external_id", String(200)),
    Column("error", Text),
    Column("at", BigInteger, nullable=False),
    Index("ix_messages_conversation", "conversation_id", "at"),
    Index("ix_messages_dialog", "dialog_id", "at"),
    Index("ix_messages_external", "external_id"),
)

early_statuses = Table(
    "early_statuses",  # statuses that came before we knew the message
    metadata,
    Column("external_id", String(200), primary_key=True),
    Column("channel", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("error", Text),
    Column("at", BigInteger, nullable=False),
)

timers = Table(
    "timers",
    metadata,
    Column("dialog_id", BigInteger, nullable=False),
    Column("name", String(60), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("event_key", String(200), nullable=False),
    PrimaryKeyConstraint("dialog_id", "name"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("key", String(400), nullable=False, unique=True),
    Column("system", String(40), nullable=False),
    Column("action", String(60), nullable=False),
    Column("recipient", String(200), nullable=False),  # rows of one recipient go out one after another
    Column("params", Text, nullable=False),  # JSON
    Column("state", SmallInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("next_try_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),  # when the last attempt began
    Column("finished_at", BigInteger),
    Column("owner", String(40)),  # the process that is sending it
    Column("error", Text),
    Column("code", String(40)),
    Column("external_id", String(200)),
    Column("result", Text),  # JSON
    Column("dialog_id", BigInteger),
    Column("conversation_id", BigInteger),
    Column("message_id", BigInteger),
    Column("turn", Integer),
    Column("waiters", Text),  # JSON: who wants to know the end [{key, dialog_id, step}]
    sqlite_autoincrement=True,
)
Index(
    "ix_deliveries_due",
    deliveries.c.next_try_at,
    deliveries.c.id,
    sqlite_where=text("state = 0"),
    postgresql_where=text("state = 0"),
)
Index(
    "ix_deliveries_open",
    deliveries.c.system,
    deliveries.c.recipient,
    deliveries.c.id,
    sqlite_where=text("state < 3"),
    postgresql_where=text("state < 3"),
)
Index(
    "ix_deliveries_busy",
    deliveries.c.state,
    deliveries.c.started_at,
    sqlite_where=text("state in (1, 2)"),
    postgresql_where=text("state in (1, 2)"),
)
Index(
    "ix_deliveries_parked",
    deliveries.c.conversation_id,
    sqlite_where=text("state = 3"),
    postgresql_where=text("state = 3"),
)
Index(
    "ix_deliveries_message",
    deliveries.c.message_id,
    sqlite_where=text("message_id is not null"),
    postgresql_where=text("message_id is not null"),
)
Index("ix_deliveries_dead", deliveries.c.id, sqlite_where=text("state = 5"), postgresql_where=text("state = 5"))
Index("ix_deliveries_dialog", deliveries.c.dialog_id, deliveries.c.id)

schema_floor = Table(
    "schema_floor",
    metadata,
    Column("revision", String(32), nullable=False),  # one row: the oldest revision whose code works with this schema
    PrimaryKeyConstraint("revision"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(120), nullable=False),
    Column("owner", String(60), nullable=False),
    Column("expires_at", BigInteger, nullable=False),  # by the database's clock
    PrimaryKeyConstraint("name"),
)

links = Table(
    "links",
    metadata,
    Column("subject", String(200), nullable=False),  # issue:1077, onec-order:GUID
    Column("dialog_id", BigInteger, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("subject", "dialog_id"),
)

issues = Table(
    "issues",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),  # Okdesk's
    Column("number", String(40), nullable=False),
    Column("title", Text),
    Column("status", String(40)),
    Column("status_name", String(200)),
    Column("updated_at", BigInteger, nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("subject", String(200), nullable=False, unique=True),  # the order or document it is about
    Column("order_number", String(80)),
    Column("invoice_number", String(80)),
    Column("state", String(20)),
    Column("total", BigInteger),  # kopecks
    Column("paid", BigInteger),
    Column("due", BigInteger),
    Column("currency", String(3)),
    Column("dialog_id", BigInteger, index=True),
    Column("updated_at", BigInteger, nullable=False),
)

subject_states = Table(
    "subject_states",  # what another system said last of one thing of its own: tells news from repeats
    metadata,
    Column("key", String(300), primary_key=True),
    Column("state", Text, nullable=False),  # JSON
    Column("updated_at", BigInteger, nullable=False),
)

flows = Table(
    "flows",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("live_version", Integer, nullable=False),
)

flow_versions = Table(
    "flow_versions",  # immutable
    metadata,
    Column("flow", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("project", Text, nullable=False),  # the project file of that moment
    Column("translations", Text, nullable=False),  # JSON: file name → text
    Column("note", Text),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("flow", "version"),
)

step_stats = Table(
    "step_stats",  # sums over the turns up to `counters.stats_turn`, see storage.stats
    metadata,
    Column("flow", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("step", String(50), nullable=False),  # or goal:NAME
    Column("entered", BigInteger, nullable=False),
    Column("went_on", BigInteger, nullable=False),  # to another step
    Column("dropped", BigInteger, nullable=False),  # the dialog ended here `silent`, `cancelled` or `failed`
    Column("seconds", BigInteger, nullable=False),  # spent there by those that left or were dropped
    PrimaryKeyConstraint("flow", "version", "step"),
)

goals = Table(
    "goals",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("flow", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("goal", String(40), nullable=False),
    Column("dialog_id", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

api_calls = Table(
    "api_calls",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("system", String(40), nullable=False),
    Column("method", String(10), nullable=False),
    Column("url", Text, nullable=False),  # without secrets
    Column("request", Text),
    Column("status", SmallInteger),  # null: no answer
    Column("response", Text),
    Column("duration_ms", Integer, nullable=False),
    Column("delivery_id", BigInteger),  # made for it; null: a call of another kind, or of an older version
)

retention = Table(
    "retention",  # how far old personal data was removed, see storage.retention
    metadata,
    Column("name", String(40), primary_key=True),
    Column("place", BigInteger, nullable=False),  # every row up to this one was looked at
    Column("passed_over", Text, nullable=False),  # JSON: those of them that were open
)

erasures = Table(
    "erasures",  # people who were erased: the protocol
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("erased_by", String(100), nullable=False),  # user of the operating system
    Column("salt", String(64), nullable=False),
    Column("person", Text, nullable=False),  # JSON: salted hashes of phones and addresses
    Column("counts", Text, nullable=False),  # JSON: table → rows deleted or emptied
    Column("cleaned_at", BigInteger),  # SQLite: when the log beside the file was emptied too
)

counters = Table(
    "counters",  # blocks of ids, see storage.ids
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
