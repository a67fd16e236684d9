"""What flows may order of Telegram."""

from __future__ import annotations

from dialogs.actions import ActionSpec, Parameter

NOTIFY = ActionSpec(
    name="telegram.notify",
    writes=True,
    parameters={
        "text": Parameter(required=True),
        "group": Parameter(default="managers"),
        "files": Parameter(type="files"),
        "topic": Parameter(type="flag", default="true"),
    },
    result={"message_id": "number"},
)
