"""Numbers, money and ratings as people write them (FLOWS.md section 4)."""

from __future__ import annotations

import re

from dialogs.cleaning import normal

_MAX_KOPECKS = 100_000_000_00
_DEFAULT_STARS = 5

_BLANKS = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f]+")
_INTEGER = re.compile(r"-?(?:[0-9]{1,3}(?: [0-9]{3}){1,4}|[0-9]{1,15})")


def parse_number(text: str, least: int | None, most: int | None) -> int | None:
    if len(text) > 40:
        return None
    written = _BLANKS.sub(" ", text.replace("−", "-"))
    if not _INTEGER.fullmatch(written):
        return None
    value = int(written.replace(" ", ""))
    return value if (least is None or value >= least) and (most is None or value <= most) else None


_CURRENCY = re.compile(r"\s*(?:руб(?:\.|л(?:ь|я|ей))?|р\.?|₽|rub)$", re.IGNORECASE)
# One separator with one or two digits after it; or separators that can only be thousands: 1.500,50 and 1,500,000.
_MONEY = re.compile(
    r"(?P<plain>[0-9]{1,3}(?: [0-9]{3})+|[0-9]{1,12})(?:[.,](?P<plain_rest>[0-9]{1,2}))?"
    r"|(?P<dots>[0-9]{1,3}(?:\.[0-9]{3})+),(?P<dots_rest>[0-9]{1,2})"
    r"|(?P<commas>[0-9]{1,3}(?:,[0-9]{3})+)\.(?P<commas_rest>[0-9]{1,2})"
    r"|(?P<millions>[0-9]{1,3}(?:\.[0-9]{3}){2,}|[0-9]{1,3}(?:,[0-9]{3}){2,})"
)
_NOT_ASCII_DIGIT = re.compile(r"[ .,]")


def parse_money(text: str, least: int | None, most: int | None) -> int | None:
    """Integer kopecks."""
    if len(text) > 40:
        return None
    found = _MONEY.fullmatch(_BLANKS.sub(" ", _CURRENCY.sub("", text)))
    if found is None:
        return None
    roubles = found["plain"] or found["dots"] or found["commas"] or found["millions"]
    rest = found["plain_rest"] or found["dots_rest"] or found["commas_rest"] or "0"
    kopecks = int(_NOT_ASCII_DIGIT.sub("", roubles)) * 100 + int(rest.ljust(2, "0"))
    if kopecks > _MAX_KOPECKS or (least is not None and kopecks < least) or (most is not None and kopecks > most):
        return None
    return kopecks


_RATINGS = {
    word: rating
    for rating, words in enumerate(
        (
            "один единица единицу единичка",
            "два двойка двойку двоечка",
            "три тройка тройку троечка",
            "четыре четверка четверку четверочка",
            "пять пятерка пятерку пятерочка",
            "шесть шестерка шестерку",
            "семь семерка семерку",
            "восемь восьмерка восьмерку",
            "девять девятка девятку",
            "десять десятка десятку",
        ),
        start=1,
    )
    for word in words.split()
}
_RATING = re.compile(r"([1-9]|10)(?:\s*(?:/|из)\s*([1-9]|10))?", re.IGNORECASE)
_STARS = re.compile(r"[★⭐\s]+")


def parse_rating(text: str, of: int | None) -> int | None:
    best = _DEFAULT_STARS if of is None else of
    if len(text) > 40:
        return None
    plain = text.replace("\ufe0f", "").replace("\u20e3", "").rstrip("!. ")  # 5️⃣ is 5 with two signs after it
    rating: int | None
    if found := _RATING.fullmatch(plain):
        rating = int(found[1]) if found[2] is None or int(found[2]) == best else None
    elif _STARS.fullmatch(plain):
        rating = plain.count("★") + plain.count("⭐")
    else:
        rating = _RATINGS.get(normal(plain))
    return rating if rating is not None and 1 <= rating <= best else None
