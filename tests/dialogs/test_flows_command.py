"""`flows check` and `flows test` as an author sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import main
from tests.dialogs.flow_files import BASE, CHILD, FILES

TESTS = '\ntests:\n  - name: "Starts"\n    chat:\n      - {in: "/start", out: ["%s"]}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, list[str]]:
    with pytest.raises(SystemExit) as ended:
        main(["flows", *arguments])
    return ended.value.code, capsys.readouterr().out.splitlines()


def test_findings_come_by_file_and_line_in_the_language_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.yaml").write_text(BASE.replace("next: kid", "next: kit") + TESTS % "name", encoding="utf-8")
    (folder / "child.yaml").write_text(CHILD.replace("{number}", "{numbr}"), encoding="utf-8")
    code, lines = run(capsys, "check", ".", "--lang", "en")
    assert (code, lines) == (
        1,
        [
            "alert.yaml:2: X02 warning: no test visits: «tell, later, done»",
            "base.yaml:61: F03 error: step «news»: no step «kit»",
            "child.en.yaml:5: T03 error: the translation has other variables: «rate.ask»",
            "child.yaml:14: N01 error: step «rate»: no variable «numbr»",
        ],
    )
    _, russian = run(capsys, "check", str(folder), "--lang", "ru")
    assert russian[1] == f"{folder}/base.yaml:61: F03 error: шаг «news»: нет шага «kit»"


def test_a_file_is_checked_with_its_translations_and_the_others_as_context(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.yaml").write_text(BASE.replace("next: kid", "next: kit"), encoding="utf-8")
    (folder / "child.en.yaml").write_text(FILES["child.en.yaml"].replace("rate.ask", "rate.say"), encoding="utf-8")
    code, lines = run(capsys, "check", "child.yaml", "--lang", "en")
    assert (code, lines) == (
        0,
        [
            "child.en.yaml:3: T01 warning: no translation of «rate.ask»",
            "child.en.yaml:5: T02 warning: translation of a place that is gone: «rate.say»",
            "child.yaml:2: X02 warning: no test visits: «rate, good, failed»",
        ],
    )
    assert run(capsys, "check", "base.yaml", "--lang", "en")[0] == 1  # `child` is there: no F15
    (folder / "child.yaml").write_text("flow: [", encoding="utf-8")
    assert run(capsys, "check", "alert.yaml", "--lang", "en")[0] == 0
    code, lines = run(capsys, "check", "child.yaml", "base.yaml", "--lang", "en")
    assert code == 2
    assert [line.split(": ")[1] for line in lines] == ["F03 error", "Y01 error"]
    assert run(capsys, "check", "nowhere.yaml")[0] == 2


def test_a_failing_test_is_shown_and_a_file_with_errors_is_not_played(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.yaml").write_text(BASE + TESTS % "Your name", encoding="utf-8")
    assert run(capsys, "test", ".") == (0, ["ok base: Starts", "1 passed, 0 failed"])
    (folder / "base.yaml").write_text(BASE + TESTS % "Hello", encoding="utf-8")
    code, lines = run(capsys, "test", "base.yaml")
    assert code == 1
    assert lines[:2] == ["FAIL base: Starts", f"  base.yaml:{BASE.count(chr(10)) + 5}"]
    assert lines[-3:] == ["    > in: /start", "    < Your name?", "0 passed, 1 failed"]
    (folder / "base.yaml").write_text(BASE.replace("next: kid", "next: kit") + TESTS % "Hello", encoding="utf-8")
    code, lines = run(capsys, "test", ".")
    assert (code, len(lines), lines[-1]) == (1, 2, "0 passed, 1 failed")
