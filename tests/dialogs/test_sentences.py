"""What the service says by itself."""

from __future__ import annotations

import re

import pytest

from dialogs.sentences import NAMES, sentence


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_sentence_is_there_in_both_languages(name: str) -> None:
    assert re.search("[а-я]", sentence(name, "ru"))
    assert re.fullmatch("[A-Za-z ,.]+", sentence(name, "en"))
    assert sentence(name, "de") == sentence(name, "en")


def test_the_project_has_the_last_word() -> None:
    assert sentence("busy", "ru", {"busy": "Минутку!"}) == "Минутку!"
    assert sentence("busy", "ru", {"choose": "Меню"}) == "Секунду, выполняю."


def test_an_unknown_name_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        sentence("hello", "ru")
