"""Dead events and deliveries by their trouble, and another chance for all of one trouble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.api.access import Access
from bot.api.asked import database_errors, page
from bot.api.replaying import as_item, replay_wish
from bot.dead_letters import DeadLetters, Given
from bot.http import ErrorAnswer, json_response
from bot.rehearsal import Rehearsal
from storage.clock import from_ms
from storage.dead_letters import DeadLetter, Group

MOST_PLAYED = 50  # letters of a group that a dry run looks at: the caller waits for the answer


class DeadLetterAddresses:
    def __init__(
        self, letters: DeadLetters, rehearsal: Rehearsal, access: Access, *, on_replay: Callable[[], None]
    ) -> None:
        self._letters = letters
        self._rehearsal = rehearsal
        self._access = access
        self._on_replay = on_replay

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/v1/dead-letters", self.groups)
        app.router.add_post("/api/v1/dead-letters/{group}/replay", self.replay)

    async def groups(self, request: web.Request) -> web.Response:
        self._access.check(request)
        skip, limit = page(request)
        with database_errors():
            found = await self._letters.groups()
        return json_response({"total": len(found), "items": [_group(group) for group in found[skip : skip + limit]]})

    async def replay(self, request: web.Request) -> web.Response:
        self._access.check(request)
        wish = await replay_wish(request)
        name = request.match_info["group"]
        with database_errors():
            group = await self._letters.group(name)
            if group is None:
                raise ErrorAnswer(404, "not_found", f"there is no group {name[:40]!r} of dead letters (any more)")
            if wish.dry_run:
                return json_response(await self._rehearsed(group, force=wish.force))
            given = Given()
            async for letters in self._letters.of_group(group):
                given += await self._letters.replay(letters, force=wish.force)
        self._on_replay()
        answer = {"group": group.id, "what": group.what, "replayed": given.replayed, "kept": given.kept}
        return json_response(answer, status=202)

    async def _rehearsed(self, group: Group, *, force: bool) -> dict[str, Any]:
        looked_at: list[DeadLetter] = []
        async for letters in self._letters.of_group(group):
            looked_at += letters[: MOST_PLAYED - len(looked_at)]
            if len(looked_at) == MOST_PLAYED:
                break
        items: list[dict[str, Any]]
        if group.what == "event":
            items = [as_item(told) for told in await self._rehearsal.play([letter.id for letter in looked_at])]
        else:
            items = [_delivery(letter, force=force) for letter in looked_at]
        kept = 0 if force else group.ends_unknown
        return {"group": group.id, "what": group.what, "total": group.count, "kept": kept, "items": items}


def _group(group: Group) -> dict[str, Any]:
    return {
        "group": group.id,
        "what": group.what,
        "source": group.source,
        "kind": group.kind,
        "reason": group.reason,
        "count": group.count,
        "oldest": _iso(group.oldest),
        "newest": _iso(group.newest),
        "example_id": group.example_id,
        "ends_unknown": group.ends_unknown,
    }


def _delivery(letter: DeadLetter, *, force: bool) -> dict[str, Any]:
    is_kept = letter.is_end_unknown and not force
    return {
        "delivery_id": letter.id,
        "system": letter.source,
        "action": letter.kind,
        "would_be": "dead" if is_kept else "waiting",
        "sentence": "perhaps it was done: it is sent again only with force" if is_kept else None,
    }


def _iso(ms: int) -> str:
    return from_ms(ms).isoformat().replace("+00:00", "Z")
