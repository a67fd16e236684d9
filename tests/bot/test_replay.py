"""Real conversations of the whole service, played to the flow they were led with and to drafts of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.cli_flows_replay import report_on, shown
from bot.flow_store import BUILT_IN
from bot.replay import DraftBroken, Report
from bot.settings import Settings
from dialogs.replay_recording import Difference, Verdict
from tests.conftest import PostgresServer
from tests.conversations.people import Customer, World
from tests.conversations.test_lead import asks_for_repair
from tests.stage import BEARER, Stage, settings_from, sqlite_url, staged

ROOT = Path(__file__).parent.parent.parent
Draft = Callable[..., Path]


@dataclass
class Recorded:
    """A database full of talks, and the settings of the service that led them."""

    environment: dict[str, str]
    talks: dict[str, int]  # name of the person → dialog

    @property
    def path(self) -> Path:
        return Path(self.environment["DATABASE_URL"].removeprefix("sqlite+aiosqlite:///"))

    @property
    def settings(self) -> Settings:
        return settings_from(self.environment)

    def changed(self, path: Path, *statements: tuple[str, tuple[Any, ...]]) -> Recorded:
        """The same talks in a file of their own, with rows that are not as they were."""
        with closing(sqlite3.connect(self.path)) as here, closing(sqlite3.connect(path)) as there:
            here.backup(there)
            for sql, values in statements:
                assert there.execute(sql, values).rowcount == 1
            there.commit()
        return Recorded({**self.environment, "DATABASE_URL": f"sqlite+aiosqlite:///{path}"}, self.talks)

    def replay(self, path: Path, *, limit: int = 1000) -> Report:
        return asyncio.run(report_on(path, self.settings, span=timedelta(days=30), limit=limit))

    def difference(self, report: Report, person: str) -> Difference:
        for verdicts in report.examples.values():
            for verdict in verdicts:
                if verdict.dialog_id == self.talks[person]:
                    assert verdict.difference is not None
                    return verdict.difference
        raise AssertionError(f"nothing is told of {person}: {report.examples}")


async def orders(world: World, anna: Customer) -> dict[str, int]:
    await asks_for_repair(anna)
    await anna.presses("Отправить")
    line = await anna.hears("Номер заявки")
    found = re.search(r"Номер заявки (\d+)", line["text"])
    assert found is not None
    await world.stage.quiet()
    return {"id": int(found[1])}


async def leads_to_the_end(world: World, anna: Customer) -> None:
    issue = await orders(world, anna)
    await world.okdesk.moves(issue, "in_progress")
    await anna.hears("В работе")
    await world.okdesk.comments(issue, "Буду в шесть")
    await anna.hears("Буду в шесть")
    await world.onec.pays(issue, 350000)
    await anna.hears("получена полностью")
    await world.okdesk.moves(issue, "completed")
    await anna.hears("Оцените работу мастера")
    await anna.says("5")
    await anna.hears("Спасибо! Рады помочь")


async def changes_answers(world: World, boris: Customer) -> None:
    await boris.says("/start")
    await boris.hears("Что нужно починить?")
    await boris.says("назад")
    await boris.hears("Это первый вопрос")
    await boris.says("сколько стоит диагностика?")
    await boris.hears("Что нужно починить?")
    await boris.presses("Ноутбук, компьютер")
    await boris.hears("Опишите поломку")
    await boris.presses("Холодильник")
    await boris.hears("прошлого вопроса")
    await boris.says("шум")
    await boris.hears("Добавьте пару слов")
    await boris.edits("шумит вентилятор")
    await boris.hears("Как к вам обращаться?")
    await boris.says("Борис")
    await boris.hears("Номер телефона")
    await boris.says("не скажу")
    await boris.hears("Не похоже на номер")
    await boris.shares_contact()
    await boris.hears("Куда приехать")
    await boris.sends_photos(3)
    await boris.hears("Проверьте заявку")
    await world.stage.quiet()
    await boris.presses("Исправить")
    await boris.hears("Что исправить?")
    await boris.presses("Описание")
    await boris.hears("Опишите поломку")
    await boris.says("вентилятор воет")
    await boris.hears("Проверьте заявку", "вентилятор воет")
    await boris.presses("Отправить")
    await boris.hears("Номер заявки")
    await world.stage.quiet()
    await boris.says("отмена")
    await boris.hears("Отменить заявку?")
    await boris.presses("Да, отменить")
    await boris.hears("Хорошо, отменил")


async def falls_silent(world: World, vera: Customer) -> None:
    await vera.says("/start")
    await vera.hears("Что нужно починить?")
    await vera.presses("Холодильник")
    await vera.hears("Опишите поломку")


async def wants_a_person(world: World, gleb: Customer) -> None:
    await gleb.says("/start")
    await gleb.hears("Что нужно починить?")
    await gleb.says("позовите менеджера")
    await gleb.hears("Зову менеджера")
    topic = await world.managers.topic(gleb.name)
    await gleb.says("Вы тут?")
    await world.managers.hears(f"{gleb.name}: Вы тут?")
    await world.managers.says("Да, слушаю вас", topic=topic)
    await gleb.hears("Да, слушаю вас")
    await world.managers.presses_when_there("Вернуть боту", topic=topic)
    await gleb.hears("Что нужно починить?")
    await gleb.says("живой человек")
    await gleb.hears("Зову менеджера")


async def days_go_by(stage: Stage, people: list[Customer], zhanna: Customer) -> None:
    """Reminders, silence, a handoff that nobody took, a held event, an answer that comes late."""
    await stage.passes(minutes=16)
    for person in people:
        if person.name.startswith("Вера"):
            await person.hears("Заявка почти готова")
    await stage.passes(hours=4)
    await zhanna.hears("Оцените работу мастера")
    await zhanna.says("5")
    await zhanna.hears("Спасибо! Рады помочь", "Что нужно починить?")
    await people[6].says("не морозит вообще")
    await people[6].hears("Как к вам обращаться?")
    await stage.passes(days=1)
    await people[4].says("/start")
    await people[4].hears("Что нужно починить?")
    await stage.passes(days=1)
    await stage.quiet()


async def led(url: str, *, days: bool = True) -> Recorded:
    """Every kind of talk on both channels."""
    async with staged(url) as stage:
        people: list[Customer] = []
        for channel in ("whatsapp", "telegram"):
            world = World(stage, channel)
            for name, talk in (
                ("Анна", leads_to_the_end),
                ("Борис", changes_answers),
                ("Вера", falls_silent),
                ("Глеб", wants_a_person),
            ):
                person = world.person(f"{name} {channel}")
                people.append(person)
                await talk(world, person)
        form = {"form": "site", "name": "Дина", "phone": people[0].phone.customer("Анна whatsapp").wa_id, "text": "-"}
        form["phone"] = f"+{form['phone']}"
        async with stage.http.post(f"{stage.url}/api/v1/forms", json=form, headers=BEARER) as answer:
            assert answer.status == 202
        await people[0].hears("Оформлю заявку за минуту", "Что нужно починить?")
        zhanna = World(stage, "telegram").person("Жанна telegram")
        issue = await orders(world, zhanna)
        await zhanna.says("/start")
        await zhanna.hears("Что нужно починить?")
        await world.okdesk.moves(issue, "completed")  # it has to wait until she is not asked something else
        if days:
            await days_go_by(stage, people, zhanna)
        await stage.quiet()
        rows = await stage.rows(
            "select c.name, min(d.id) from dialogs d join contacts c on c.id = d.contact_id"
            " where d.flow = 'lead' group by c.name"
        )
        environment = {**stage.environment, "CLOCK_OFFSET_SECONDS": str(stage.offset_s)}
        return Recorded(environment, {str(name): int(dialog_id) for name, dialog_id in rows})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return asyncio.run(led(sqlite_url(tmp_path_factory.mktemp("led"))))


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """lead.yaml with some places of it written otherwise, alone in a folder."""

    def make(*changes: tuple[str, str]) -> Path:
        text = (BUILT_IN / "lead.yaml").read_text(encoding="utf-8").partition("\ntests:")[0]
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "lead.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_the_live_version_goes_the_same_way_in_its_own_conversations(recorded: Recorded) -> None:
    with closing(sqlite3.connect(recorded.path)) as conn:
        decided = {
            word for (trace,) in conn.execute("select trace from turns") for word in json.loads(trace)["decided"]
        }
    assert decided >= {"parked", "asked_again", "wrong:1", "old_button", "timer:step", "timer:nobody", "manager:say"}
    report = recorded.replay(BUILT_IN / "lead.yaml")
    assert report.total >= 12
    assert dict(report.counts) == {"same": report.total}, shown(report, "en")


@pytest.mark.postgres
def test_it_is_the_same_on_postgresql(postgres_server: PostgresServer) -> None:
    report = asyncio.run(led(postgres_server.new_database(), days=False)).replay(BUILT_IN / "lead.yaml")
    assert report.total >= 10
    assert dict(report.counts) == {"same": report.total}, shown(report, "en")


def test_a_draft_alone_in_its_folder_calls_the_live_flows(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft())
    assert dict(report.counts) == {"same": report.total}, shown(report, "en")


def test_other_times_of_reminders_are_the_same_way(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft(('{after: 15m, say: "З', '{after: 20m, say: "З'), ("after: 23h,", "after: 50h,")))
    assert dict(report.counts) == {"same": report.total}, shown(report, "en")


def test_other_words_are_other_text(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft(('ask: "Опишите поломку', 'ask: "Расскажите о поломке')))
    assert set(report.counts) == {"same", "text"}
    found = recorded.difference(report, "Вера telegram")
    assert (found.kind, found.reason, found.step, found.event) == ("text", "text", "lead.service", "press")
    assert found.words == "Холодильник"
    assert found.live.startswith("Опишите поломку")
    assert found.draft.startswith("Расскажите о поломке")


def test_other_data_for_another_system_are_told(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft(('description: "{problem}"', 'description: "Поломка: {problem}"')))
    found = recorded.difference(report, "Анна telegram")
    assert (found.kind, found.reason) == ("text", "order")
    assert found.draft == "okdesk.create_issue description: Поломка: Течёт и шумит"


NEW_QUESTION = """  - id: when
    ask: "Когда удобно приехать?"
    expect: text
    into: contact_ok

  - id: confirm
"""


def test_a_new_question_is_another_way(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft(("  - id: confirm\n", NEW_QUESTION)))
    assert set(report.counts) == {"same", "way"}
    found = recorded.difference(report, "Анна telegram")
    assert (found.kind, found.reason, found.step) == ("way", "step", "lead.place")
    assert (found.live, found.draft) == ("lead.confirm", "lead.when")
    assert found.words == "Казань, Баумана 10, кв 5"


def test_a_changed_branch_is_another_way(recorded: Recorded, draft: Draft) -> None:
    change = ("outcome: {ok: watch, rejected: watch, slow: watch}", "outcome: {ok: over, rejected: watch, slow: watch}")
    report = recorded.replay(draft(change))
    found = recorded.difference(report, "Анна telegram")
    assert (found.kind, found.reason) == ("shorter", "ended")
    assert (found.step, found.event) == ("lead.watch", "okdesk.status_changed")

    change = ("{returned: after_manager, closed: over,", "{returned: cancel_ask, closed: after_manager,")
    report = recorded.replay(draft(change))
    found = recorded.difference(report, "Глеб whatsapp")
    assert (found.kind, found.step, found.event) == ("way", "lead.to_manager", "manager")
    assert (found.live, found.draft) == ("lead.service", "lead.cancel_ask")


ASK_PROBLEM = """    ask: "Опишите поломку одним сообщением: что случилось и когда началось."
    expect: text
    into: problem
    valid: "len(problem) >= 5"
    invalid: "Добавьте пару слов, чтобы мастер взял нужные детали."
"""


def test_a_question_that_is_gone_is_shorter(recorded: Recorded, draft: Draft) -> None:
    edit = ('{id: ch_problem, title: "Описание", edit: problem}', '{id: ch_problem, title: "Описание", next: confirm}')
    report = recorded.replay(draft((ASK_PROBLEM, "    set: {problem: \"'не сказано'\"}\n"), edit))
    found = recorded.difference(report, "Анна telegram")
    assert (found.kind, found.reason, found.step) == ("shorter", "left_over", "lead.problem")
    assert (found.words, found.draft) == ("Течёт и шумит", "contact.ask_name")


def test_an_answer_that_is_refused_is_stuck(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft(("len(problem) >= 5", "len(problem) >= 14")))
    found = recorded.difference(report, "Анна whatsapp")
    assert (found.kind, found.reason, found.step) == ("stuck", "refused", "lead.problem")
    assert found.words == "Течёт и шумит"
    assert found.draft.startswith("Добавьте пару слов")


def test_a_button_that_is_gone_is_stuck(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(
        draft(('      - {id: fridge, title: "Холодильник", about: "Не морозит, намерзает лёд"}\n', ""))
    )
    found = recorded.difference(report, "Вера whatsapp")
    assert (found.kind, found.reason, found.words) == ("stuck", "option_gone", "Холодильник")
    assert ("text", "buttons", "") in report.reasons


def test_buttons_keep_their_meaning_when_steps_move(recorded: Recorded, draft: Draft) -> None:
    """The payload names the step by its place in the file, and that has changed for all of them."""
    report = recorded.replay(draft(("  - id: hello\n", "  - id: zero\n    set: {status: \"''\"}\n\n  - id: hello\n")))
    assert dict(report.counts) == {"same": report.total}, shown(report, "en")


def test_a_command_that_is_gone_is_stuck(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft((' phrase: ["позовите менеджера", "живой человек"],', "")))
    found = recorded.difference(report, "Глеб telegram")
    assert (found.kind, found.reason, found.words) == ("stuck", "refused", "позовите менеджера")


def test_a_start_that_is_gone_is_stuck(recorded: Recorded, draft: Draft) -> None:
    report = recorded.replay(draft(("  - {first_message: true}\n", ""), ("  - {command: start}\n", "")))
    assert set(report.reasons) == {("stuck", "no_start", "")}
    assert {verdict.difference.words for verdict in report.examples["stuck"] if verdict.difference} == {"/start"}


def test_an_event_that_nobody_waits_for_is_another_way(recorded: Recorded, draft: Draft) -> None:
    path = draft(
        ('event: okdesk.comment_added, if: "event.issue_id = issue_id and', 'event: okdesk.comment_added, if: "')
    )
    assert dict(recorded.replay(path).counts) == {"same": recorded.replay(path).total}
    path = draft(
        (
            'event: okdesk.comment_added, if: "event.issue_id = issue_id and',
            'event: okdesk.comment_added, if: "1 = 2 and',
        )
    )
    found = recorded.difference(recorded.replay(path), "Анна telegram")
    assert (found.kind, found.reason, found.event) == ("way", "not_taken", "okdesk.comment_added")


NOTE = """  - id: note
    do: okdesk.add_comment
    with: {issue_id: "{issue_id}", text: "из чата"}
    once_per: "{issue_id}"
    outcome: {ok: number, rejected: number, slow: number}
    slow_after: 5s

  - id: number
"""


def test_an_action_without_a_recording_ends_the_replay(recorded: Recorded, draft: Draft) -> None:
    path = draft(("outcome: {ok: number, rejected", "outcome: {ok: note, rejected"), ("  - id: number\n", NOTE))
    found = recorded.difference(recorded.replay(path), "Борис telegram")
    assert (found.kind, found.reason, found.draft) == ("way", "no_recording", "okdesk.add_comment")


def test_a_broken_draft_is_not_played(recorded: Recorded, draft: Draft) -> None:
    with pytest.raises(DraftBroken) as error:
        recorded.replay(draft(("edited: confirm", "edited: nowhere")))
    assert {found.code for found in error.value.findings} >= {"F03"}


def test_bodies_that_are_gone_are_counted(recorded: Recorded, tmp_path: Path) -> None:
    last = "(select max(e.id) from events e join turns t on t.event_id = e.id where t.dialog_id = ? and e.kind = ?)"
    talk = recorded.talks
    elsewhere = recorded.changed(
        tmp_path / "copy.db",
        (f"update events set body = x'' where id = {last}", (talk["Борис telegram"], "message")),
        (f"update events set body = x'7b' where id = {last}", (talk["Борис whatsapp"], "message")),
        (f"update events set body = x'7b7d' where id = {last}", (talk["Анна telegram"], "effect_finished")),
    )
    report = elsewhere.replay(BUILT_IN / "lead.yaml")
    assert dict(report.counts) == {"same": report.total - 3, "unplayable": 3}
    assert elsewhere.difference(report, "Борис telegram").reason == "event_gone"
    assert elsewhere.difference(report, "Борис whatsapp").reason == "unreadable"
    found = elsewhere.difference(report, "Анна telegram")  # of our own events we know the form
    assert (found.reason, found.step) == ("our_error", "KeyError")
    assert "our program" in shown(report, "en")


def test_a_recording_that_its_own_version_does_not_follow_is_not_used(recorded: Recorded, tmp_path: Path) -> None:
    elsewhere = recorded.changed(
        tmp_path / "copy.db",
        (
            "delete from events where id = (select event_id from turns where dialog_id = ? and turn = 1)",
            (recorded.talks["Анна telegram"],),
        ),
        (
            "update turns set to_step = 'lead.place' where dialog_id = ? and turn = 3",
            (recorded.talks["Глеб telegram"],),
        ),
    )
    report = elsewhere.replay(BUILT_IN / "lead.yaml")
    assert report.counts["unplayable"] == 2
    assert elsewhere.difference(report, "Анна telegram").reason == "event_gone"
    assert elsewhere.difference(report, "Глеб telegram").reason == "not_retold"


def test_what_was_published_since_is_not_the_drafts_doing(recorded: Recorded, draft: Draft, tmp_path: Path) -> None:
    contact = (BUILT_IN / "contact.yaml").read_text(encoding="utf-8")
    changed = contact.replace('ask: "Как к вам обращаться?"', 'ask: "Ваше имя?"').partition("\ntests:")[0]
    elsewhere = recorded.changed(
        tmp_path / "copy.db",
        (
            "insert into flow_versions (flow, version, text, project, translations, created_at)"
            " select flow, 2, ?, project, translations, (select max(at) from turns) + 1 from flow_versions"
            " where flow = 'contact'",
            (changed,),
        ),
        ("update flows set live_version = 2 where name = 'contact'", ()),
    )
    report = elsewhere.replay(draft())
    assert elsewhere.difference(report, "Анна telegram").draft == "Ваше имя?"
    assert report.as_live == {"same": 0, "text": report.counts["text"]}
    assert "the live version does the same" in shown(report, "en")
    (tmp_path / "contact.yaml").write_text(contact, encoding="utf-8")  # the folder of the draft has it as it was
    assert dict(elsewhere.replay(draft()).counts) == {"same": report.total}
    (tmp_path / "contact.yaml").unlink()

    report = elsewhere.replay(draft(("len(problem) >= 5", "len(problem) >= 14")))
    assert report.is_stuck
    assert report.as_live["stuck"] == 0


def test_nothing_is_written(recorded: Recorded, draft: Draft) -> None:
    def rows() -> list[tuple[str, int]]:
        with closing(sqlite3.connect(recorded.path)) as conn:
            names = [row[0] for row in conn.execute("select name from sqlite_master where type = 'table' order by 1")]
            return [(name, conn.execute(f"select count(*) from {name}").fetchone()[0]) for name in names]

    before = rows(), recorded.path.stat().st_mtime_ns
    recorded.replay(draft(("len(problem) >= 5", "len(problem) >= 14")))
    assert (rows(), recorded.path.stat().st_mtime_ns) == before


def test_examples_of_one_kind_leave_room_for_others() -> None:
    report = Report("lead", datetime(2026, 3, 2, tzinfo=UTC))
    for number in range(100):
        words = "фу" if number < 90 else f"фу {number}"
        found = Difference(kind="stuck", reason="refused", step="lead.problem", event="message", words=words)
        report.add(Verdict(dialog_id=number, version=1, kind="stuck", difference=found))
    told = [verdict.difference.words for verdict in report.examples["stuck"] if verdict.difference is not None]
    assert told == ["фу"] * 3 + [f"фу {number}" for number in range(90, 100)]
    assert report.reasons == {("stuck", "refused", "lead.problem"): 100}
    assert "lead.problem: 100" in shown(report, "ru")


def test_pages_leave_nobody_out(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded.replay(BUILT_IN / "lead.yaml").total
    monkeypatch.setattr("bot.replay.PAGE", 3)
    assert recorded.replay(BUILT_IN / "lead.yaml").total == whole
    assert recorded.replay(BUILT_IN / "lead.yaml", limit=4).total == 4


# ------------------------------------------------------------------------------------------------------ the command


def fixit(recorded: Recorded, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **recorded.environment, **variables}
    return subprocess.run(
        [sys.executable, "-m", "bot", "flows", "replay", *arguments],
        cwd=recorded.path.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_tells_an_admin_in_either_language(recorded: Recorded, draft: Draft) -> None:
    done = fixit(recorded, str(BUILT_IN / "lead.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"same way +\d+ +100\.0 %", done.stdout)
    done = fixit(recorded, str(draft(("len(problem) >= 5", "len(problem) >= 14"))), "--lang", "ru", "--since", "30d")
    assert (done.returncode, done.stderr) == (1, "")
    dialog_id = recorded.talks["Анна whatsapp"]
    assert re.search(r"застряли +\d+ +\d+,\d %", done.stdout)
    assert f"  диалог {dialog_id} · шаг lead.problem · сообщение «Течёт и шумит»\n" in done.stdout
    assert "    черновик не принял ответ: «Добавьте пару слов, чтобы мастер взял нужные детали.»\n" in done.stdout


def test_what_cannot_be_judged_is_exit_code_2(recorded: Recorded, draft: Draft, tmp_path: Path) -> None:
    done = fixit(recorded, str(draft(("edited: confirm", "edited: nowhere"))))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"lead\.yaml:\d+: F03 error", done.stderr)
    for arguments, sentence in (
        (["nowhere.yaml"], "no such file: nowhere.yaml"),
        ([str(BUILT_IN / "project.yaml")], "holds no flow"),
        ([str(BUILT_IN / "lead.yaml"), "--since", "soon"], "--since takes a time"),
    ):
        done = fixit(recorded, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
    none = f"sqlite+aiosqlite:///{tmp_path / 'none.db'}"
    done = fixit(recorded, str(BUILT_IN / "lead.yaml"), DATABASE_URL=none)
    assert (done.returncode, "there is no database" in done.stderr) == (2, True)
    assert not (tmp_path / "none.db").exists()
