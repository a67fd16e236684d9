"""No column that can hold what people write is forgotten when personal data is removed."""

from __future__ import annotations

from storage.personal import EMPTIED, KEPT, ROWS, worded
from storage.tables import metadata


def test_every_column_of_words_is_in_exactly_one_list() -> None:
    wrong = []
    for table in metadata.sorted_tables:
        for column in worded(table):
            lists = [
                table.name in ROWS,
                column in EMPTIED.get(table.name, {}),
                column in KEPT.get(table.name, {}),
            ]
            if sum(lists) != 1:
                wrong.append(f"{table.name}.{column} is in {sum(lists)} lists of storage.personal")
    assert wrong == []


def test_the_lists_name_nothing_that_is_not_there() -> None:
    for name in ROWS:
        assert name in metadata.tables
    for listed in (EMPTIED, KEPT):
        for name, columns in listed.items():
            assert set(columns) <= set(worded(metadata.tables[name])), name


def test_a_row_that_is_emptied_keeps_its_rules() -> None:
    """What may not be null gets an empty value instead."""
    for name, columns in EMPTIED.items():
        for column, value in columns.items():
            assert value is not None or metadata.tables[name].c[column].nullable, f"{name}.{column}"
