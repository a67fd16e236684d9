"""Writing a comment exactly once, with the customer's files."""

from __future__ import annotations

import mimetypes
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from integrations.base import Later, Never, Order
from integrations.okdesk.client import Author, OkdeskClient, Upload
from integrations.okdesk.errors import Refused
from integrations.okdesk.html import clean, to_html, to_text
from integrations.okdesk.parameters import Repeats
from integrations.okdesk.schemas import Comment
from integrations.okdesk.settings import OkdeskSettings

log = structlog.get_logger(__name__)

Fetch = Callable[[Mapping[str, Any]], Awaitable[bytes]]

_CLOCKS_APART: Final = timedelta(minutes=1)  # Okdesk's clock against ours
_FILE_TRIES: Final = 3  # of the order: a file that cannot be had must not hold up the words for ever
_NOTE: Final = "[файл не приложен]"


@dataclass(frozen=True, slots=True)
class Wish:
    """A comment to be there."""

    issue_id: int
    text: str
    public: bool
    files: Sequence[Mapping[str, Any]] = ()


class Commenting:
    """Adds comments and finds those that were added."""

    def __init__(self, client: OkdeskClient, settings: OkdeskSettings, repeats: Repeats, fetch: Fetch) -> None:
        self._client = client
        self._settings = settings
        self._repeats = repeats
        self._fetch = fetch

    async def ensure(self, order: Order, wish: Wish, *, look_first: bool) -> int:
        """The id of the comment, added unless it is there. Raises Later, Never, Unknown.

        A comment for a merged issue goes to the one that survived.
        """
        if look_first:
            found = await self.find(order, wish)
            if found is not None:
                return found
        author = await self.author(wish)
        uploads, notes = await self._uploads(order, wish.files)
        content = to_html("\n".join([wish.text, *notes]))
        try:
            made = await self._client.add_comment(
                wish.issue_id, content, author=author, public=wish.public, files=uploads
            )
        except Refused as error:
            survivor = await self.survivor(wish.issue_id, error)
            made = await self._client.add_comment(survivor, content, author=author, public=wish.public, files=uploads)
        self._repeats.claim("comment", made, order)
        return made

    async def find(self, order: Order, wish: Wish) -> int | None:
        """The comment that this order made: same author, same text, not older than the order."""
        author = await self.author(wish)
        text = to_text(to_html(wish.text))
        issue_id = (await self._client.issue(wish.issue_id)).id
        for comment in await self._client.comments(issue_id):
            if (
                _is_by(comment, author)
                and _is_since(comment, order.created_at - _CLOCKS_APART)
                and _says(comment, text)
                and not self._repeats.is_of_another("comment", comment.id, order)
            ):
                self._repeats.claim("comment", comment.id, order)
                return comment.id
        return None

    async def author(self, wish: Wish) -> Author:
        """Our employee; without one, the contact of the issue, who can only write publicly. Raises Never."""
        if self._settings.author_id is not None:
            return Author(self._settings.author_id)
        if wish.public:
            contact = (await self._client.issue(wish.issue_id)).contact
            if contact is not None and contact.id is not None:
                return Author(contact.id, "contact")
        raise Never("Okdesk wants an author of the comment: set OKDESK_AUTHOR_ID.", code="invalid")

    async def survivor(self, issue_id: int, error: Refused) -> int:
        """The issue that this one was merged into, if that is why Okdesk refused; raises the refusal otherwise."""
        if error.status >= 400 and error.status != 404:
            raise error
        issue = await self._client.issue(issue_id)
        if issue.id == issue_id:
            raise error
        return issue.id

    async def _uploads(self, order: Order, files: Sequence[Mapping[str, Any]]) -> tuple[list[Upload], list[str]]:
        """The files' bytes, and a line for each file that cannot go along."""
        uploads: list[Upload] = []
        notes: list[str] = []
        for file in files:
            name = file_name(file)
            limit = self._settings.max_file_bytes
            try:
                content = b"" if _size(file) > limit else await self._fetch(file)
                problem = f"больше {limit // 2**20} МБ" if max(_size(file), len(content)) > limit else None
            except Never:
                problem = "его не удалось получить"
            except Later:
                if order.attempt < _FILE_TRIES:
                    raise
                problem = "его не удалось получить"
            if problem is None:
                uploads.append(Upload(name, content, _mime(file, name)))
            else:
                log.warning("okdesk_file_left_out", key=order.key, size=_size(file))
                notes.append(f"{_NOTE} {name}: {problem}, смотрите переписку")
        return uploads, notes


def file_name(file: Mapping[str, Any]) -> str:
    """A name to show. The customer's own name is hostile input: no path, no control characters, no quotes."""
    given = clean(str(file.get("name") or "")).replace("\n", " ").replace("\\", "/").rsplit("/", 1)[-1]
    given = given.replace('"', "'").strip(" .")[:100]
    if given:
        return given
    extension = mimetypes.guess_extension(str(file.get("mime") or "")) or (
        ".jpg" if file.get("kind") == "photo" else ".bin"
    )
    return f"{file.get('kind') or 'file'}{extension}"


def _mime(file: Mapping[str, Any], name: str) -> str:
    given = file.get("mime")
    is_plain = isinstance(given, str) and given.isascii() and given.isprintable() and given.count("/") == 1
    return str(given) if is_plain else mimetypes.guess_type(name)[0] or "application/octet-stream"


def _size(file: Mapping[str, Any]) -> int:
    size = file.get("size")
    return size if isinstance(size, int) else 0


def _is_by(comment: Comment, author: Author) -> bool:
    by = comment.author
    return by is not None and by.id == author.id and by.type in (author.type, None)


def _is_since(comment: Comment, moment: datetime) -> bool:
    if comment.published_at is None:
        return True
    published = datetime.fromisoformat(comment.published_at)
    return published.tzinfo is None or published >= moment


def _says(comment: Comment, text: str) -> bool:
    said = to_text(comment.content or "")
    return said == text or said.startswith(f"{text}\n{_NOTE}")
