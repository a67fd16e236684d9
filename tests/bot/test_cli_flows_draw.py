"""`flows draw` as a person at a terminal meets it: files, folders, live flows, counts from a real database."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bot.cli import main
from storage import migrate
from storage.database import connect
from storage.standing import Standing, at_steps, standing
from storage.tables import dialogs

FLOWS = Path(__file__).parent.parent.parent / "dialogs" / "flows"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'draw.db'}")


def draw(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["flows", "draw", *arguments])
    return int(str(ended.value.code))


def dialog(number: int, flow: str, step: str, status: str = "active", version: int = 1) -> dict[str, object]:
    return {
        "id": number,
        "channel": "telegram",
        "flow": flow,
        "version": version,
        "step": step,
        "status": status,
        "turn": 1,
        "state": "{}",
        "created_at": 1,
        "updated_at": 1,
    }


ROWS = [
    dialog(1, "lead", "lead.watch"),
    dialog(2, "lead", "lead.watch", version=2),
    dialog(3, "lead", "lead.over", "closed"),
    dialog(4, "lead", "contact.ask_name"),
    dialog(5, "support", "contact.ask_name", "handed_off"),
]


@pytest.fixture
def open_dialogs(tmp_path: Path) -> list[Standing]:
    async def fill() -> list[Standing]:
        database = connect(f"sqlite+aiosqlite:///{tmp_path / 'draw.db'}")
        await database.open()
        try:
            await database.write(migrate.upgrade, is_long=True)
            await database.write(lambda conn: conn.execute(dialogs.insert(), ROWS))
            return await database.read(standing)
        finally:
            await database.close()

    return asyncio.run(fill())


def steps(picture: str) -> dict[str | None, ET.Element]:
    root = ET.fromstring(picture)  # noqa: S314
    return {g.get("data-step"): g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("data-step")}


def badge(step: ET.Element) -> str | None:
    return next((str(g[2].text) for g in step if g.get("class") == "badge"), None)


def test_a_file_is_drawn_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(str(FLOWS / "lead.yaml")) == 0
    assert {"hello", "to_manager", "over"} <= steps(capsys.readouterr().out).keys()
    assert draw(str(FLOWS / "lead.yaml"), "--format", "mermaid", "--lang", "en") == 0
    assert "flowchart TD" in capsys.readouterr().out


def test_the_ending_of_the_file_chooses_the_format(tmp_path: Path) -> None:
    assert draw(str(FLOWS / "rating.yaml"), "--output", "a/rating.mmd") == 0
    assert "flowchart TD" in (tmp_path / "a" / "rating.mmd").read_text(encoding="utf-8")
    assert draw(str(FLOWS), "--flow", "rating", "--output", "rating.svg") == 0
    assert "rate" in steps((tmp_path / "rating.svg").read_text(encoding="utf-8"))


def test_a_folder_gives_a_file_for_each_flow(tmp_path: Path) -> None:
    assert draw(str(FLOWS), "--output", "pictures") == 0
    names = {path.stem for path in FLOWS.glob("*.yaml")} - {"project"}
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {f"{name}.svg" for name in names}


def test_a_flow_with_mistakes_is_drawn_and_one_that_cannot_be_read_does_not_hide_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(FLOWS / "rating.yaml", tmp_path)
    text = (FLOWS / "price_faq.yaml").read_text(encoding="utf-8")
    (tmp_path / "faq.yaml").write_text(text.replace("end: ok", "say: x\n    next: answer"), encoding="utf-8")
    (tmp_path / "torn.yaml").write_text("a: [", encoding="utf-8")
    assert draw("faq.yaml", "--lang", "en") == 0
    assert "no way from here to an end" in capsys.readouterr().out
    assert draw(str(tmp_path), "--flow", "rating") == 0
    assert draw(str(tmp_path), "--output", "pictures/") == 2
    assert "torn.yaml:2: Y01" in capsys.readouterr().err


@pytest.mark.usefixtures("open_dialogs")
def test_open_dialogs_are_counted_over_all_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(str(FLOWS / "lead.yaml"), "--live") == 0
    lead = steps(capsys.readouterr().out)
    assert (badge(lead["watch"]), badge(lead["over"])) == ("2", None)
    assert draw(str(FLOWS), "--flow", "contact", "--live", "--format", "mermaid", "--lang", "en") == 0
    assert "now at this step: 2" in capsys.readouterr().out


def test_the_query_groups_by_flow_version_and_step(open_dialogs: list[Standing]) -> None:
    assert open_dialogs == [
        Standing("lead", 1, "contact.ask_name", 1),
        Standing("lead", 1, "lead.watch", 1),
        Standing("lead", 2, "lead.watch", 1),
        Standing("support", 1, "contact.ask_name", 1),
    ]
    assert at_steps(open_dialogs, "contact") == {"ask_name": 2}


def test_a_live_flow_is_drawn_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    for name in ("price_faq.yaml", "project.yaml"):
        shutil.copy(FLOWS / name, folder)
    with pytest.raises(SystemExit):
        main(["flows", "publish", str(folder)])
    shutil.rmtree(folder)
    capsys.readouterr()
    assert draw("price_faq", "--live") == 0
    assert list(steps(capsys.readouterr().out)) == ["answer", "done"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no/where"], "no such file or folder: no/where"),
        (["nothing"], "no such file or folder, and no live flow: nothing"),
        ([str(FLOWS)], "choose one with --flow, or give a folder to --output: contact, lead"),
        ([str(FLOWS), "--output", "one.svg"], "there are several flows"),
        ([str(FLOWS), "--flow", "gone"], "no flow gone in"),
        ([str(FLOWS / "project.yaml")], "there is no flow in"),
        ([str(FLOWS / "rating.yaml"), "--output", "/proc/nothing/x.svg"], "cannot write /proc/nothing/x.svg"),
        ([str(FLOWS / "rating.yaml"), "--format", "png"], "invalid choice: 'png'"),
    ],
)
def test_an_error_of_use_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert len(captured.err.strip().splitlines()) == 1
