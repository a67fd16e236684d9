"""Frozen dataclasses that cost no more than others.

A frozen dataclass sets every field through `object.__setattr__`. A turn makes some forty such objects, and that was
a twentieth of its time. Here only the type checker keeps `record` classes from being changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool, **options):
        """`@record(frozen=True, slots=True)`: checked as frozen, compared and hashed by value, made fast."""
        assert frozen
        return dataclass(unsafe_hash=True, **options)


__all__ = ["record"]
