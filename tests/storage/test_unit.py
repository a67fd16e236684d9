"""One transaction's view of people and dialogs: what was put in is seen at once, and written all or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage import inbox, outbox, timers
from storage.database import Database
from storage.ids import Ids
from storage.inbox import NewEvent, Settled
from storage.outbox import NewDelivery
from storage.tables import EventState
from storage.unit import Contact, Conversation, DialogRow, UnitOfWork

NOW = 1_790_000_000_000


@pytest.fixture
def ids() -> Ids:
    return Ids()


async def work(database: Database, ids: Ids, job: Callable[[UnitOfWork], Any], *, flush: bool = True) -> Any:
    def run(conn: Any) -> Any:
        unit = UnitOfWork(conn, NOW, ids)
        result = job(unit)
        if flush:
            unit.flush()
        return result

    return await database.write(run)


def person(unit: UnitOfWork, phone: str | None = "+79991234567") -> tuple[Contact, Conversation]:
    contact = unit.add_contact(name="Анна", username="anna", lang="ru", phone=phone)
    unit.add_address(contact, "whatsapp", "79991234567")
    talk = unit.add_conversation(contact, channel="whatsapp", account="us", address="79991234567", key="contact:1")
    return contact, talk


def dialog(unit: UnitOfWork, contact: Contact, talk: Conversation, *, status: str = "active") -> DialogRow:
    row = DialogRow(
        unit.next_id(), talk.id, contact.id, "whatsapp", "lead", 1, "lead.hello", status, None, 1, "{}", NOW, NOW
    )
    unit.add_dialog(row)
    return row


async def test_people_are_found_again_by_address_and_phone(database: Database, ids: Ids) -> None:
    made = await work(database, ids, lambda unit: person(unit)[0].id)

    def find(unit: UnitOfWork) -> None:
        contact = unit.contact_at("whatsapp", "79991234567")
        assert contact is not None
        assert (contact.id, contact.name, contact.phone, contact.phone_is_proven) == (
            made,
            "Анна",
            "+79991234567",
            True,
        )
        assert unit.contact_at("telegram", "79991234567") is None
        assert [c.id for c in unit.contacts_with_phone("+79991234567")] == [made]
        assert [talk.address for talk in unit.conversations_of(made)] == ["79991234567"]

    await work(database, ids, find)


async def test_what_a_transaction_adds_it_sees_itself(database: Database, ids: Ids) -> None:
    def job(unit: UnitOfWork) -> None:
        contact, talk = person(unit)
        row = dialog(unit, contact, talk)
        unit.link("issue:7", row.id)
        assert unit.contact_at("whatsapp", "79991234567") is contact
        assert unit.contacts_with_phone("+79991234567") == [contact]
        assert unit.open_dialogs(contact.id) == [row]
        assert unit.dialogs_linked_to("issue:7") == [row]
        assert unit.subjects_of(row.id) == ["issue:7"]
        assert unit.has_links(row.id)

    await work(database, ids, job)


async def test_nothing_is_written_when_the_job_fails(database: Database, ids: Ids) -> None:
    def job(unit: UnitOfWork) -> None:
        contact, talk = person(unit)
        dialog(unit, contact, talk)
        unit.send(NewDelivery("k", "wire", "send", "anna", {}, NOW))
        unit.flush()
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await work(database, ids, job)
    names = ("contacts", "conversations", "dialogs", "deliveries", "contact_addresses")
    counts = " + ".join(f"(select count(*) from {name})" for name in names)
    assert await database.read(lambda conn: conn.exec_driver_sql(f"select {counts}").scalar()) == 0


async def test_changes_are_stored_and_closed_dialogs_are_not_open(database: Database, ids: Ids) -> None:
    def make(unit: UnitOfWork) -> tuple[int, int]:
        contact, talk = person(unit)
        return contact.id, dialog(unit, contact, talk).id

    contact_id, dialog_id = await work(database, ids, make)

    def change(unit: UnitOfWork) -> None:
        contact = unit.contact(contact_id)
        contact.variables = {"name": "Пётр"}
        contact.is_changed = True
        [row] = unit.open_dialogs(contact_id)
        row.status, row.turn, row.is_changed = "closed", 2, True

    await work(database, ids, change)

    def look(unit: UnitOfWork) -> None:
        assert unit.contact(contact_id).variables == {"name": "Пётр"}
        assert unit.open_dialogs(contact_id) == []
        row = unit.dialog(dialog_id)
        assert row is not None
        assert (row.status, row.turn) == ("closed", 2)
        assert unit.dialog(4242) is None

    await work(database, ids, look)


async def test_an_event_and_everything_it_led_to_become_visible_together(database: Database, ids: Ids) -> None:
    [stored] = await database.write(lambda conn: inbox.put(conn, [NewEvent("t", "1", "m", "k", b"{}", NOW)]))

    def job(unit: UnitOfWork) -> int:
        contact, talk = person(unit)
        row = dialog(unit, contact, talk)
        unit.add_turn(dialog_id=row.id, turn=1, event_id=stored.id, event="message", at=NOW, from_step=None,
                      to_step="lead.hello", version=1, trace="[]", effects="[]")  # fmt: skip
        unit.set_timer(row.id, "close", due_at=NOW + 1000, turn=1, event_key="k")
        unit.send(NewDelivery("k", "wire", "send", "anna", {}, NOW, dialog_id=row.id))
        unit.settled.append(Settled(stored.id, EventState.DONE, row.id))
        return row.id

    def fails(unit: UnitOfWork) -> None:
        job(unit)
        unit.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work(database, ids, fails)
    assert await database.read(timers.next_due) is None
    dialog_id = await work(database, ids, job)
    assert await database.read(timers.next_due) == NOW + 1000
    [(state, found)] = await database.read(
        lambda conn: conn.exec_driver_sql("select state, dialog_id from events").fetchall()
    )
    assert (state, found) == (EventState.DONE, dialog_id)


async def test_a_wish_made_twice_in_one_transaction_or_two_is_one_row(database: Database, ids: Ids) -> None:
    def twice(unit: UnitOfWork) -> None:
        for waiter in ({"dialog_id": 1}, {"dialog_id": 2}):
            unit.wish(NewDelivery("once", "wire", "do", "r", {}, NOW, waiters=(waiter,)))

    await work(database, ids, twice)
    await work(database, ids, twice)
    rows = await database.write(lambda conn: outbox.by_keys(conn, ["once"]))
    found = await database.write(lambda conn: outbox.waiters_of(conn, [rows["once"].id]))
    assert [waiter["dialog_id"] for waiter in found[rows["once"].id]] == [1, 2, 1, 2]


async def test_a_status_is_applied_upwards_only_and_kept_if_it_comes_early(database: Database, ids: Ids) -> None:
    def message(unit: UnitOfWork) -> None:
        _, talk = person(unit)
        unit.add_message(conversation_id=talk.id, dialog_id=None, direction="out", kind="text", text="да",
                         status="accepted", at=NOW, external_id="w1")  # fmt: skip

    await work(database, ids, message)

    def report(status: str, rank: int, external_id: str = "w1") -> Callable[[UnitOfWork], bool]:
        return lambda unit: unit.report_message(
            channel="whatsapp", external_id=external_id, status=status, rank=rank, at=NOW, error=None
        )

    assert await work(database, ids, report("read", 4))
    assert await work(database, ids, report("delivered", 3))
    assert await work(database, ids, report("failed", 0))
    [(status,)] = await database.read(lambda conn: conn.exec_driver_sql("select status from messages").fetchall())
    assert status == "read"
    assert not await work(database, ids, report("sent", 2, "w2"))
    assert not await work(database, ids, report("delivered", 3, "w2"))
    assert not await work(database, ids, report("sent", 2, "w2"))
    early = await database.read(lambda conn: conn.exec_driver_sql("select status from early_statuses").fetchall())
    assert [row[0] for row in early] == ["delivered"]


async def test_states_of_other_systems_are_kept_under_their_names(database: Database, ids: Ids) -> None:
    def save(value: Any) -> Callable[[UnitOfWork], None]:
        return lambda unit: unit.save_subject_state("onec:document:1", value)

    await work(database, ids, save({"seq": 1}))
    await work(database, ids, save({"seq": 2}))
    assert await work(database, ids, lambda unit: unit.subject_state("onec:document:1")) == {"seq": 2}
    assert await work(database, ids, lambda unit: unit.subject_state("onec:document:2")) is None


async def test_an_address_can_move_to_another_person(database: Database, ids: Ids) -> None:
    def two(unit: UnitOfWork) -> tuple[int, int]:
        first, _ = person(unit)
        second = unit.add_contact(name="Борис", username=None, lang=None, phone=None)
        unit.add_address(second, "whatsapp", "other")
        return first.id, second.id

    first_id, second_id = await work(database, ids, two)

    def move(unit: UnitOfWork) -> None:
        unit.move_address(unit.contact(first_id), "whatsapp", "other")
        found = unit.contact_at("whatsapp", "other")
        assert found is not None
        assert found.id == first_id

    await work(database, ids, move)

    def owner(unit: UnitOfWork) -> int:
        found = unit.contact_at("whatsapp", "other")
        assert found is not None
        return found.id

    assert await work(database, ids, owner) == first_id != second_id
