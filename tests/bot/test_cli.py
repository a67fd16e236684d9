"""The command line as a person at a terminal meets it: exit codes, sentences, what stands in the database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from storage import migrate
from tests.conftest import PostgresServer, free_port
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
FLOWS = ROOT / "dialogs" / "flows"


def environment(folder: Path, **variables: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    url = f"sqlite+aiosqlite:///{folder / 'cli.db'}"
    return {**kept, "PYTHONPATH": str(ROOT), "DATABASE_URL": url, "LANG": "C.UTF-8", **variables}


def fixit(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (["fly"], {}, "invalid choice: 'fly'"),
        (["serve", "--bogus"], {}, "unrecognized arguments: --bogus"),
        (["serve"], {"OKDESK_URL": "http://127.0.0.1:9"}, "OKDESK_API_TOKEN is missing"),
        (["serve", "--no-work"], {}, "needs PostgreSQL"),
        (["work"], {}, "needs PostgreSQL"),
        (["events", "show", "7"], {}, "there is no event 7"),
        (["events", "show", "9" * 30], {}, "not the number of an event"),
        (["events", "replay"], {}, "takes ids, or --dead"),
        (["events", "replay", "9" * 30], {}, "not the number of an event"),
        (["events", "replay", "--group", "nothing"], {}, "there is no group nothing"),
        (["flows", "check", "nowhere"], {}, "no such file or folder: nowhere"),
        (["flows", "show", "nothing"], {}, "no flow nothing"),
        (["flows", "rollback", "lead", "--to", "9"], {}, "no version 9 of flow lead"),
        (["demo", "--port", "99999"], {}, "--port must be a number"),
    ],
)
def test_an_error_of_use_is_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], sentence: str
) -> None:
    done = fixit(tmp_path, *arguments, **variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_flows_are_checked_tested_published_and_taken_back(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    for name in ("price_faq.yaml", "project.yaml"):
        (folder / name).write_bytes((FLOWS / name).read_bytes())
    assert fixit(tmp_path, "flows", "check", str(folder)).returncode == 0
    tested = fixit(tmp_path, "flows", "test", str(folder))
    assert tested.stdout.splitlines() == ["ok price_faq: Отвечает и заканчивает", "1 passed, 0 failed"]
    assert "price_faq version 1 (new)" in fixit(tmp_path, "flows", "publish", str(folder), "--note", "first").stdout
    assert "price_faq version 1 (unchanged)" in fixit(tmp_path, "flows", "publish", str(folder)).stdout

    flow = folder / "price_faq.yaml"
    flow.write_text(flow.read_text(encoding="utf-8").replace("бесплатна", "стоит 500 ₽", 1), encoding="utf-8")
    failed = fixit(tmp_path, "flows", "test", str(folder))
    assert failed.returncode == 1
    assert "FAIL price_faq" in failed.stdout
    assert failed.stdout.splitlines()[-1] == "0 passed, 1 failed"
    refused = fixit(tmp_path, "flows", "publish", str(folder))
    assert refused.returncode == 1
    assert "nothing was published" in refused.stderr

    flow.write_text(flow.read_text(encoding="utf-8").replace("бесплатна", "стоит 500 ₽"), encoding="utf-8")
    published = fixit(tmp_path, "flows", "publish", str(folder))
    assert "price_faq version 2 (new)" in published.stdout, published
    assert "version 2" in fixit(tmp_path, "flows", "list").stdout
    assert "500 ₽" in fixit(tmp_path, "flows", "show", "price_faq").stdout
    assert "price_faq version 1 is live" in fixit(tmp_path, "flows", "rollback", "price_faq", "--to", "1").stdout
    assert "500 ₽" not in fixit(tmp_path, "flows", "show", "price_faq").stdout


def test_a_broken_flow_is_told_with_its_line_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("format: 1\nflow: bad\ntitle: x\nchannels: [telegram]\nsteps:\n  - id: a\n")
    russian = fixit(tmp_path, "flows", "check", str(tmp_path), "--lang", "ru")
    english = fixit(tmp_path, "flows", "check", str(tmp_path), "--lang", "en")
    assert (russian.returncode, english.returncode) == (1, 1)
    assert "bad.yaml:6: Y07 error: шаг «a»: у шага должен быть ровно один вид" in russian.stdout
    assert "a step has exactly one kind" in english.stdout
    (tmp_path / "bad.yaml").write_text("a: [")
    assert fixit(tmp_path, "flows", "check", str(tmp_path)).returncode == 2


def test_doctor_says_what_works_and_shows_no_secret(tmp_path: Path) -> None:
    healthy = fixit(tmp_path, "doctor")
    assert healthy.returncode == 0
    assert "Database  ok" in healthy.stdout
    assert "WhatsApp  off" in healthy.stdout
    sick = fixit(tmp_path, "doctor", OKDESK_URL="http://127.0.0.1:9", OKDESK_API_TOKEN="very-secret-token")
    assert sick.returncode == 1
    assert "Okdesk    failed" in sick.stdout
    assert "very-secret-token" not in sick.stdout + sick.stderr
    assert "Traceback" not in sick.stdout + sick.stderr


def test_serve_starts_answers_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "serve", "--host", "127.0.0.1", "--port", str(port)],
        cwd=tmp_path,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer = _ready(port)
        assert '"status":"ok"' in answer
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert '"event": "stopped"' in errors
    assert "Traceback" not in errors


def _ready(port: int) -> str:
    def look() -> str | None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
            return str(answer.read().decode())
        return None

    return str(asyncio.run(until(look, "it does not get ready", within_s=30)))


@pytest.mark.postgres
def test_an_unmigrated_postgresql_is_refused_until_migrate(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    refused = fixit(tmp_path, "serve", "--port", str(free_port()), DATABASE_URL=url)
    assert refused.returncode == 1
    assert "run `python -m bot migrate`" in refused.stderr
    assert "run `python -m bot migrate`" in fixit(tmp_path, "events", "list", DATABASE_URL=url).stderr
    assert fixit(tmp_path, "migrate", DATABASE_URL=url).stdout == f"empty -> {migrate.newest()}\n"
    assert fixit(tmp_path, "migrate", DATABASE_URL=url).stdout == f"already at {migrate.newest()}\n"
    assert fixit(tmp_path, "events", "list", DATABASE_URL=url).returncode == 0
