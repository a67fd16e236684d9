"""Keeping the garbage collector out of the way of customers."""

from __future__ import annotations

import gc


def settle_memory() -> None:
    """Call once, when everything is loaded.

    The libraries leave some hundred thousand objects that live as long as the process. Without this every full
    collection walks them all: a quarter of the processor under load, and pauses of a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
