"""Strict YAML: what is read, what is refused, and on which line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dialogs import reading
from dialogs.findings import Finding
from dialogs.reading import MAX_BYTES, ReadingError, read
from tests.work import lines_run

FLOWS = Path(__file__).parents[2] / "dialogs" / "flows"


LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]  # in Python, in C


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LOADER", request.param)


def codes(text: bytes | str) -> list[tuple[int, str]]:
    with pytest.raises(ReadingError) as caught:
        read(text, file="lead.yaml")
    return [(found.line, found.code) for found in caught.value.findings]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("null", None),
        ("Null", "Null"),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-0", 0),
        ("7", 7),
        ("-15", -15),
        ("999999999999999", 999999999999999),
        ("1000000000000000", "1000000000000000"),
        ("007", "007"),
        ("+7", "+7"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("12:30", "12:30"),
        ("2026-03-01", "2026-03-01"),
        ('"true"', "true"),
        ("'5'", "5"),
        ('"null"', "null"),
        ('""', ""),
        ("''", ""),
        ('"а\\nб"', "а\nб"),
        ("|-\n  раз\n  два", "раз\nдва"),
        (">-\n  раз\n  два", "раз два"),
        ("|-\n  5", "5"),
        ("[1, true, нет]", [1, True, "нет"]),
        ("{a: 1, b: }", {"a": 1, "b": None}),
        ("{5: пять, true: да}", {"5": "пять", "true": "да"}),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_a_value_is_what_section_2_says(written: str, value: object) -> None:
    read_back = read(f"key: {written}\n", file="x").data["key"]
    assert read_back == value
    assert type(read_back) is type(value)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", [(2, "Y01")]),
        ('title: 1\nname: "open\nmore: 1\n', [(2, "Y01")]),
        ("a: 1\n---\nb: 2\n", [(2, "Y01")]),
        ("a: 1\n... b\n", [(2, "Y01")]),
        ("a: b: c\n", [(1, "Y01")]),
        ("a: 1\nb: [1, 2\nc: 3\n", [(3, "Y01")]),
        ("a: 1\nb: @x\n", [(2, "Y01")]),
        ("", [(1, "Y01")]),
        ("# nothing\n", [(1, "Y01")]),
        ("- a\n- b\n", [(1, "Y01")]),
        ("\n\njust words\n", [(3, "Y01")]),
        ("? [a]\n: 1\n", [(1, "Y01")]),
        ("a: 1\nb: \x00\n", [(2, "Y01")]),
        ("a: 1\nb: \x1b[31m\n", [(2, "Y01")]),
        ('a: 1\nb: "\\0"\n', [(2, "Y01")]),
        ('a: "\\ud800"\n', [(1, "Y01")]),
        ('a: "\\U00110000"\n', [(1, "Y01")]),
        ("a: 1\nb: \ud800\n", [(2, "Y01")]),
        (b"a: 1\nb: 2\nc: \xff\n", [(3, "Y01")]),
        ("a: 1".encode("utf-16"), [(1, "Y01")]),
        ("%YAML 9.9\n---\na: 1\n", [(1, "Y01")]),
        ("a: 1\na: 2\n", [(2, "Y02")]),
        ("a: 1\n'a': 2\n", [(2, "Y02")]),
        ("5: 1\n'5': 2\n", [(2, "Y02")]),
        ("x:\n  - {b: 1, b: 2}\nc: 1\nc: 2\nc: 3\n", [(2, "Y02"), (4, "Y02"), (5, "Y02")]),
        ("a: &x 1\nb: *x\n", [(1, "Y05"), (2, "Y05")]),
        ("a: &x [1]\nb: &y {c: 1}\n", [(1, "Y05"), (2, "Y05")]),
        ("a: !!str 1\n", [(1, "Y05")]),
        ('a: ! "x"\n', [(1, "Y05")]),
        ("a: !!python/object/apply:os.system [ls]\n", [(1, "Y05")]),
        ("!!map\na: 1\n", [(1, "Y05")]),
        ("a: {<<: {b: 1}}\n", [(1, "Y05")]),
        ("&k a: 1\n", [(1, "Y05")]),
        ("a: *nobody\n", [(1, "Y05")]),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", [(1, "Y05")]),
        ("a: &x 1\na: 2\nb: [\n", [(1, "Y05"), (2, "Y02"), (4, "Y01")]),
    ],
)
def test_what_is_not_strict_is_refused_on_its_line(text: bytes | str, expected: list[tuple[int, str]]) -> None:
    assert codes(text) == expected


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    assert read('"<<": 1\n', file="x").data == {"<<": 1}


def test_a_byte_order_mark_is_dropped() -> None:
    assert read(b"\xef\xbb\xbfflow: lead\n", file="x").data == {"flow": "lead"}
    assert read("\ufeffflow: lead\n", file="x").data == {"flow": "lead"}


def test_nesting_of_20_is_read_and_of_21_is_not() -> None:
    assert read("a: " + "[" * 19 + "]" * 19, file="x").data
    assert codes("a: " + "[" * 20 + "]" * 20) == [(1, "Y01")]


def test_512_kib_are_read_and_a_byte_more_is_not() -> None:
    text = b"a: 1\n#" + b"x" * (MAX_BYTES - 6)
    assert read(text, file="x").data == {"a": 1}
    assert codes(text + b"x") == [(1, "Y01")]


def test_lines_are_those_of_keys_and_items_else_of_the_nearest_parent() -> None:
    text = 'format: 1\nsteps:\n  - id: hello\n    say:\n      "Привет"\n  - {id: done,\n     end: ok}\n'
    lines = read(text, file="x").lines
    assert lines.of(()) == 1
    assert lines.of(("format",)) == 1
    assert lines.of(("steps",)) == 2
    assert lines.of(("steps", 0)) == 3
    assert lines.of(("steps", 0, "say")) == 4
    assert lines.of(("steps", 1)) == 6
    assert lines.of(("steps", 1, "end")) == 7
    assert lines.of(("steps", 1, "next", "deeper")) == 6
    assert lines.of(("vars", "name")) == 1


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_flows_that_ship_are_read_as_the_usual_reader_reads_them(path: Path) -> None:
    ours = read(path.read_bytes(), file=path.name).data
    assert ours == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    "text",
    [
        b"a: " + b"[" * 200_000,
        b"a: " + b"{" * 200_000,
        b"a: " + b"{a: " * 50_000,
        b"- " * 200_000,
        b"? " * 200_000,
        b"a: &a [x]\n" + b"".join(b"b%d: &b%d [*a,*a,*a]\n" % (n, n) for n in range(5000)),
        b"a: [" + b"*a," * 5_000 + b"]",
        b"".join(b" " * n + b"a:\n" for n in range(400)),
        b"a:" * 100_000,
        b"'" * 100_000,
        b"%" * 100_000,
        b"---\n" * 50_000,
        b"\x00" * 100_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_files_are_refused_soon(text: bytes) -> None:
    def refused() -> ReadingError:
        with pytest.raises(ReadingError) as caught:
            read(text, file="x")
        return caught.value

    assert len(refused().findings) <= 1000
    assert lines_run(refused) < 200 * len(text)  # the pure Python loader runs 40 a byte


@given(
    st.binary(max_size=200) | st.text(max_size=200) | st.text(alphabet="ab:-?[]{}&*!|>'\"%@`,# \n\t~\\0u", max_size=80)
)
def test_any_bytes_are_read_or_refused(text: bytes | str) -> None:
    findings: tuple[Finding, ...] = ()
    data: object = None
    try:
        data = read(text, file="x").data
    except ReadingError as error:
        findings = error.findings
    assert isinstance(data, dict) is not bool(findings)
    assert {found.code for found in findings} <= {"Y01", "Y02", "Y05"}
