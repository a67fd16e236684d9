"""The patterns of `matches` (FLOWS.md section 6): a small regular language, matched in bounded time.

Even this small language makes Python's `re` run for ever: `(a|a)(a|a)…` or `a?a?a?…aaa` double the work with every
part. So a pattern is run another way: the set of places in the text where a beginning of the pattern can end is one
integer, a bit for each place, and every part of the pattern turns one such set into the next. The longest pattern on
the longest text takes a few milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_PATTERN = 200
MAX_TEXT = 500
_MAX_UNLIMITED = 3  # of *, + and {m,}
_MAX_GROUPS = 20  # of one group in another

_Step = Callable[["_Marks", int], int]  # text and set of places → set of places

_CATEGORIES = {"d": "0-9", "w": r"\w", "s": r"\s"}
_COUNT = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_SPECIAL = frozenset("^$*+?{}[]()|\\")


class PatternError(Exception):
    """The pattern is not of the small language; the message says why."""


class _Marks:
    """A text, and for every kind of character in the pattern the places where it stands."""

    __slots__ = ("_marks", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._marks: dict[re.Pattern[str], int] = {}

    def of(self, kind: re.Pattern[str]) -> int:
        marks = self._marks.get(kind)
        if marks is None:
            marks = 0
            for found in kind.finditer(self.text):
                marks |= 1 << found.start()
            self._marks[kind] = marks
        return marks


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a whole text fits `pattern`; texts over 500 characters never do.

    `\\d` is 0-9, `\\w` and `\\s` are those of Unicode, `.` is any character but a line break; case matters.
    Raises PatternError.
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
    run = _Parser(pattern).parse()

    def fits(text: str) -> bool:
        return len(text) <= MAX_TEXT and bool(run(_Marks(text), 1) >> len(text) & 1)

    return fits


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._unlimited = 0

    def parse(self) -> _Step:
        step = self._alternatives(0)
        if self._at < len(self._pattern):
            raise PatternError("a bracket ')' is not opened")
        return step

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise PatternError("the pattern ends too early")
        self._at += 1
        return char

    def _alternatives(self, depth: int) -> _Step:
        branches = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence(depth))
        if len(branches) == 1:
            return branches[0]

        def any_of(marks: _Marks, places: int) -> int:
            reached = 0
            for branch in branches:
                reached |= branch(marks, places)
            return reached

        return any_of

    def _sequence(self, depth: int) -> _Step:
        steps: list[_Step] = []
        while self._peek() not in ("", "|", ")"):
            if self._peek() == "(":
                steps.append(self._group(depth + 1))
            else:
                steps.append(self._repeated(self._kind()))

        def one_after_another(marks: _Marks, places: int) -> int:
            for step in steps:
                if not places:
                    break
                places = step(marks, places)
            return places

        return one_after_another

    def _group(self, depth: int) -> _Step:
        if depth > _MAX_GROUPS:
            raise PatternError(f"groups nest at most {_MAX_GROUPS} deep")
        self._at += 1
        step = self._alternatives(depth)
        if self._peek() != ")":
            raise PatternError("a bracket '(' is not closed")
        self._at += 1
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError("a group cannot be repeated")
        return step

    def _repeated(self, kind: re.Pattern[str]) -> _Step:
        least, most = self._count()
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError("a repetition cannot be repeated")
        if (least, most) == (1, 1):
            return lambda marks, places: (places & marks.of(kind)) << 1

        def repeat(marks: _Marks, places: int) -> int:
            stands = marks.of(kind)
            for _ in range(least):
                places = (places & stands) << 1
                if not places:
                    return 0
            reached = places
            for _ in range(MAX_TEXT if most is None else most - least):
                places = (places & stands) << 1
                if not places & ~reached:  # what is known already leads nowhere new
                    break
                reached |= places
            return reached

        return repeat

    def _count(self) -> tuple[int, int | None]:
        sign = self._peek()
        if sign == "{":
            found = _COUNT.match(self._pattern, self._at)
            if found is None:
                raise PatternError("a count is written {m}, {m,} or {m,n}; a bracket itself \\{")
            self._at = found.end()
            least = int(found[1])
            if found[2] is None:
                return least, least
            if found[3] is None:
                return self._no_limit(least)
            if int(found[3]) < least:
                raise PatternError("a count {m,n} needs m not above n")
            return least, int(found[3])
        if sign and sign in "?*+":
            self._at += 1
            if sign == "?":
                return 0, 1
            return self._no_limit(0 if sign == "*" else 1)
        return 1, 1

    def _no_limit(self, least: int) -> tuple[int, None]:
        self._unlimited += 1
        if self._unlimited > _MAX_UNLIMITED:
            raise PatternError(f"at most {_MAX_UNLIMITED} of *, + and {{m,}}")
        return least, None

    def _kind(self) -> re.Pattern[str]:
        char = self._take()
        if char == ".":
            return re.compile(r"[^\n]")
        if char == "[":
            return re.compile(self._class())
        if char == "\\":
            return re.compile(f"[{self._escaped()}]")
        if char in _SPECIAL:
            raise PatternError(f"'{char}' is not allowed here; the character itself is written \\{char}")
        return re.compile(re.escape(char))

    def _escaped(self) -> str:
        """What follows a backslash, as `re` wants it within [ ]."""
        char = self._take()
        if char in _CATEGORIES:
            return _CATEGORIES[char]
        if char.isalnum() or char.isspace() or char == "_":
            raise PatternError(f"'\\{char}' is not known")
        return _literal(char)

    def _class(self) -> str:
        is_negative = self._peek() == "^"
        if is_negative:
            self._at += 1
        members: list[str] = []
        while (char := self._take()) != "]" or not members:
            if char == "[" or char == "]":
                raise PatternError(f"'{char}' within [ ] is written \\{char}")
            if char == "\\":
                member = self._escaped()
                first = self._pattern[self._at - 1] if member not in _CATEGORIES.values() else ""
            else:
                member, first = _literal(char), char
            if first and self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                last = self._take()
                if last == "\\":
                    if self._escaped() in _CATEGORIES.values():
                        raise PatternError("a range ends with a character")
                    last = self._pattern[self._at - 1]
                if last == "[" or ord(last) < ord(first):
                    raise PatternError(f"a wrong range {first}-{last}")
                member = f"{_literal(first)}-{_literal(last)}"
            members.append(member)
        return f"[{'^' if is_negative else ''}{''.join(members)}]"


def _literal(char: str) -> str:
    """One character within [ ] of `re`, where some signs in pairs would mean sets."""
    return f"\\{char}" if char in r"\]^-[&|~" else char
