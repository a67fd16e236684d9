"""The repository keeps its own promises: settings, locks, documents and addresses agree with the code."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import AliasChoices

from bot.api.openapi import document
from bot.demo import run as demo_run
from bot.demo.api import DemoApi
from bot.settings import Settings

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.ru.md")
LOCKS = ("requirements.lock", "requirements-run.lock")
NOT_OURS = {".git", ".venv", "var", "build", "dist", "node_modules", "__pycache__", "test-results"}
ONLY_COMPOSE = {"POSTGRES_PASSWORD"}  # read by docker-compose.yml, not by the service
# In parts, so that this file does not name them either.
REGISTRIES = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("proxy.golang", "org"), ("crates", "io"))
REGISTRY_HOSTS = tuple(".".join(parts) for parts in REGISTRIES)
MACHINE_PATH = re.compile(r"(?<![\w.:/*…])/(?:work|root|Users/\w+|home/\w+)/\w")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def files_of_repository() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith(("_cache", ".egg-info")) and name != ".hypothesis"
        ]
        for name in names:
            if name != ".env" and not name.endswith((".pyc", ".png", ".db", ".db-wal", ".db-shm", ".junit.xml")):
                yield Path(folder) / name


def setting_names() -> dict[str, tuple[str, ...]]:
    """Main name → further names that are read."""
    names: dict[str, tuple[str, ...]] = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        found = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [field.upper()]
        names[found[0]] = tuple(found[1:])
    return names


# ------------------------------------------------------------------------------------------------------- settings


def test_the_example_names_every_setting_and_nothing_else() -> None:
    written = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", read(".env.example"), re.M)
    assert len(written) == len(set(written))
    assert set(written) - ONLY_COMPOSE == set(setting_names())


def test_the_example_explains_every_setting() -> None:
    """Every variable, or the pair it is in, has a sentence above it."""
    lines = read(".env.example").splitlines()
    unexplained = []
    for number, line in enumerate(lines):
        if re.match(r"[A-Z]", line):
            above = number - 1
            while re.match(r"[A-Z]", lines[above]):
                above -= 1
            if not lines[above].startswith("# "):
                unexplained.append(line)
    assert unexplained == []


def test_the_example_is_a_working_env_file_with_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, others in setting_names().items():
        for one in (name, *others):
            monkeypatch.delenv(one, raising=False)
    from_example: Any = Settings(_env_file=ROOT / ".env.example")  # type: ignore[call-arg]
    assert from_example == Settings(_env_file=None)  # type: ignore[call-arg]


@pytest.mark.parametrize("readme", [*READMES, ".env.example"])
def test_every_setting_and_its_other_names_are_documented(readme: str) -> None:
    text = read(readme)
    names = [one for name, others in setting_names().items() for one in (name, *others)]
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


# ---------------------------------------------------------------------------------------------------------- locks


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Package → (version, number of hashes)."""
    found: dict[str, tuple[str, int]] = {}
    for entry in re.split(r"\n(?=\S)", read(lock).strip()):
        if entry.startswith("#"):
            continue
        head = re.match(r"([a-z0-9][a-z0-9.-]*)==(\S+)", entry)
        assert head, f"{lock}: not pinned: {entry.splitlines()[0]}"
        found[head[1]] = (head[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)", entry)))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_pins_everything_with_hashes_and_no_addresses(lock: str) -> None:
    text = read(lock)
    assert not re.search(r"https?:|file:/|index-url|find-links|trusted-host| @ |^-[a-z]|[\\/]\w", text, re.M)
    assert [name for name, (_, hashes) in pins(lock).items() if not hashes] == []


def test_the_lock_of_the_image_is_a_part_of_the_whole_one() -> None:
    whole, run = pins("requirements.lock"), pins("requirements-run.lock")
    assert run.items() <= whole.items()
    assert not run.keys() & {"pytest", "mypy", "ruff", "hypothesis", "pywa", "setuptools", "pip"}


def test_the_locks_hold_every_dependency_of_the_project() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.match(r"[A-Za-z0-9._-]+", one)[0].lower().replace("_", "-") for one in requirements}  # type: ignore[index]

    assert names(project["dependencies"]) <= pins("requirements-run.lock").keys()
    extra = [one for group in project["optional-dependencies"].values() for one in group]
    assert names(extra) <= pins("requirements.lock").keys()


# ------------------------------------------------------------------------------------------------------ documents


def test_no_file_names_a_package_registry_or_a_path_of_somebodys_machine() -> None:
    found = []
    for path in files_of_repository():
        text = path.read_bytes().decode("utf-8", "replace")
        lowered = text.lower()
        for what in [host for host in REGISTRY_HOSTS if host in lowered] + MACHINE_PATH.findall(text):
            found.append(f"{path.relative_to(ROOT)}: {what}")
    assert found == []


def documents() -> list[str]:
    return sorted([*READMES, *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))])


def anchors(text: str) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#{1,6} (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", documents())
def test_every_relative_link_leads_somewhere(name: str) -> None:
    text = read(name)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if urlsplit(target).scheme:
            continue
        path, _, anchor = target.partition("#")
        there = (ROOT / name).parent / path if path else ROOT / name
        if not there.exists() or (anchor and anchor not in anchors(there.read_text("utf-8"))):
            broken.append(target)
    assert broken == []


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]}. "), path.name
        for part in ("Context", "Choice", "Why", "Consequences"):
            assert re.search(rf"^\*\*{part}\b", text, re.M), f"{path.name} has no {part}"


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "demo.png").stat().st_size < 300_000


# ------------------------------------------------------------------------------------------------- curl and routes


def shell_blocks(name: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", read(name), re.S)


def curls(name: str) -> list[tuple[str, str]]:
    """Method and path of every curl line."""
    found = []
    for line in "\n".join(shell_blocks(name)).splitlines():
        for call in re.split(r"(?=\bcurl )", line)[1:]:
            url = re.search(r"http://127\.0\.0\.1:8000(/[^\s\"'|)?]*)", call)
            assert url, f"{name}: a curl line without an address of the demo: {call}"
            method = re.search(r"-X ([A-Z]+)", call)
            found.append((method[1] if method else "GET", url[1]))
    return found


def described_routes() -> set[tuple[str, str]]:
    paths = document()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def is_of(path: str, template: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None


@pytest.mark.parametrize("readme", READMES)
def test_every_curl_line_of_the_readme_has_a_route(readme: str) -> None:
    demo = DemoApi(None, None, None, pause_s=1, heartbeat_s=1).routes()  # type: ignore[arg-type]
    known = described_routes() | {(route.method, f"/demo{route.path}") for route in demo}
    known |= {("GET", "/docs"), ("GET", "/openapi.json")}
    unknown = [
        f"{method} {path}"
        for method, path in curls(readme)
        if not any(method == m and is_of(path, template) for m, template in known)
    ]
    assert unknown == []


@pytest.mark.parametrize("readme", READMES)
def test_every_address_of_the_service_has_a_curl_line(readme: str) -> None:
    shown = curls(readme)
    missing = [
        f"{method} {template}"
        for method, template in sorted(described_routes())
        if not any(m == method and is_of(path, template) for m, path in shown)
    ]
    assert missing == []


def test_both_readmes_show_the_same_curl_lines() -> None:
    first, second = ([block for block in shell_blocks(name) if "curl" in block] for name in READMES)
    assert first == second


def test_the_secrets_of_the_curl_lines_are_those_of_the_demo() -> None:
    values = {value for value in vars(demo_run).values() if isinstance(value, str)}
    written = set(re.findall(r"\bdemo-[a-z]+-[a-z-]+", "\n".join(shell_blocks("README.md"))))
    assert written
    assert written <= values


# ------------------------------------------------------------------------------------------------------ deployment


def test_compose_starts_nothing_before_the_migration() -> None:
    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    for name in ("app", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["command"] == ["migrate"]
    assert services["app"]["command"] == ["serve", "--no-work"]
    assert services["worker"]["command"] == ["work"]
    assert services["proxy"]["profiles"] == ["proxy"]


def test_the_image_runs_as_nobody_special_and_copies_what_the_builder_may_see() -> None:
    dockerfile = read("Dockerfile")
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER \d+$", final, re.M)
    assert "HEALTHCHECK" in final
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.M) for name in line.split()[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_containers_may_do_no_more_than_they_need() -> None:
    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    added = {
        "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
        "proxy": {"NET_BIND_SERVICE"},
    }
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name  # noqa: S108 - a mount of the container
        assert service["cap_drop"] == ["ALL"], name
        assert set(service.get("cap_add", ())) == added.get(name, set()), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert "network_mode" not in service, name
        assert not any("docker.sock" in volume for volume in service.get("volumes", ())), name
    assert services["app"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in services["postgres"]


def test_the_audit_does_not_take_no_answer_for_a_good_one() -> None:
    assert re.search(r"^\t@.*pip-audit --strict .*--require-hashes .*requirements-run\.lock", read("Makefile"), re.M)


def test_every_test_that_the_page_on_security_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", read("docs/security.md")))
    assert len(named) > 20
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.M)
    }
    assert sorted(named - defined) == []


def test_continuous_integration_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_makefile_has_the_promised_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    assert {"setup", "demo", "run", "test", "lint", "bench", "bench-scale", "lock"} <= targets
