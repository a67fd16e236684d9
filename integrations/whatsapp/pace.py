"""How fast we may send, so that Meta does not have to refuse. Contract: section 7. Pure: the clock is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

_ROUNDING_S = 1e-4  # sums of fractions of a second are not exact, least of all when the clock counts from 1970
SWEEP_AT = 10_000  # recipients remembered before those who owe nothing are forgotten


@dataclass(slots=True)
class Pace:
    """Two leaky buckets: one for the number, one for each person. Times are seconds of any one steady clock.

    A person may get `pair_burst` messages at once and is then in debt: Meta lends 45 and asks for silence
    afterwards, we borrow less, so that an answer to a question never waits for minutes.
    """

    number_per_s: float = 80.0  # in and out together; 20 for a number that is also in the phone app
    number_burst: int = 20
    pair_every_s: float = 6.0
    pair_burst: int = 20
    _number_free_at: float = 0.0  # when everything sent so far will have leaked out
    _free_at: dict[str, float] = field(default_factory=dict)
    _paused_until: dict[str | None, float] = field(default_factory=dict)

    def delay(self, recipient: str, now: float) -> float:
        """Seconds until the next message to `recipient` may go; 0.0 if at once."""
        number = self._number_free_at - now - (self.number_burst - 1) / self.number_per_s
        pair = self._free_at.get(recipient, now) - now - (self.pair_burst - 1) * self.pair_every_s
        pause = max(self._paused_until.get(None, now), self._paused_until.get(recipient, now)) - now
        wait = max(number, pair, pause)
        return wait if wait > _ROUNDING_S else 0.0

    def sent(self, recipient: str, now: float) -> None:
        """A message went out (or perhaps did: a lost answer counts too)."""
        self.received(now)
        if len(self._free_at) >= SWEEP_AT:
            self._sweep(now)
        self._free_at[recipient] = max(self._free_at.get(recipient, now), now) + self.pair_every_s

    def received(self, now: float) -> None:
        """A message came in: it takes of the number's rate as well."""
        self._number_free_at = max(self._number_free_at, now) + 1.0 / self.number_per_s

    def pause(self, seconds: float, now: float, recipient: str | None = None) -> None:
        """Nothing to `recipient` (to nobody, if None) for so long. A longer pause stays."""
        self._paused_until[recipient] = max(self._paused_until.get(recipient, now), now + seconds)

    def paused(self, now: float, recipient: str | None = None) -> bool:
        """Whether a pause holds for `recipient`, or for the whole number."""
        return any(self._paused_until.get(who, now) > now for who in (None, recipient))

    def _sweep(self, now: float) -> None:
        self._free_at = {who: at for who, at in self._free_at.items() if at > now}
        self._paused_until = {who: at for who, at in self._paused_until.items() if at > now}
