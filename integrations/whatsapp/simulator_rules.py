"""What the simulated WhatsApp refuses, with the codes and the words of the real one. Contract: sections 5.1 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.whatsapp.render import LIMITS

# code: (HTTP status, title)
TITLES: Mapping[int, tuple[int, str]] = {
    4: (429, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Error validating access token"),
    368: (403, "Temporarily blocked for policies violations"),
    80007: (429, "Rate limit issues"),
    130429: (429, "Rate limit hit"),
    131000: (500, "Something went wrong"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131026: (400, "Message undeliverable"),
    131031: (403, "Account has been locked"),
    131042: (400, "Business eligibility payment issue"),
    131047: (400, "Re-engagement message"),
    131048: (429, "Spam rate limit hit"),
    131051: (400, "Unsupported message type"),
    131053: (400, "Media upload error"),
    131056: (429, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (503, "Account in maintenance mode"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132015: (400, "Template is Paused"),
    133010: (400, "Phone number not registered"),
}
_LINKED = ("image", "video", "audio", "document", "sticker")
_OPAQUE = 512

Problem = tuple[int, str]


def error_body(code: int, details: str | None = None, subcode: int | None = None) -> tuple[int, dict[str, Any]]:
    """(HTTP status, body) of a refusal."""
    status, title = TITLES.get(code, (400, "Error"))
    error: dict[str, Any] = {"message": f"(#{code}) {title}", "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    if details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    error["fbtrace_id"] = "AsimulatedTRACE0"
    return status, {"error": error}


def problem_of(body: Any, templates: Mapping[str, str] | None) -> Problem | None:
    """What is wrong with a message, or None. `templates` are the approved ones (name → text); None = any name goes."""
    if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
        return 100, "The parameter messaging_product is required."
    if not isinstance(body.get("to"), str) and not isinstance(body.get("recipient"), str):
        return 131008, "The parameter to is required."
    opaque = body.get("biz_opaque_callback_data", "")
    if not isinstance(opaque, str) or len(opaque) > _OPAQUE:
        return 100, f"Param biz_opaque_callback_data must be at most {_OPAQUE} characters long."
    kind = body.get("type", "text")
    content = body.get(kind) if isinstance(kind, str) else None
    if not isinstance(content, dict):
        return 131008, f"The parameter {kind} is required."
    if kind == "text":
        return _length("text['body']", content.get("body"), LIMITS["text"], code=100)
    if kind in _LINKED:
        if not content.get("id") and not str(content.get("link", "")).startswith(("http://", "https://")):
            return 131009, f"Param {kind} needs an id or a link."
        if "caption" in content and kind in ("audio", "sticker"):
            return 131009, f"Param caption is not allowed for {kind}."
        return _length(f"{kind}['caption']", content.get("caption", "-"), LIMITS["caption"])
    if kind == "interactive":
        return _interactive(content)
    if kind == "template":
        return _template(content, templates)
    if kind in ("reaction", "location", "contacts"):
        return None
    return 131051, f"Message type {kind} is not supported."


def _interactive(content: Mapping[str, Any]) -> Problem | None:
    action, body = content.get("action"), content.get("body")
    if not isinstance(action, dict) or not isinstance(body, dict):
        return 131008, "The parameters body and action are required."
    wrong = _length("body['text']", body.get("text"), LIMITS["body"])
    if wrong is not None:
        return wrong
    match content.get("type"):
        case "button":
            return _buttons(action.get("buttons"))
        case "list":
            return _list(action)
        case "location_request_message":
            return None if action.get("name") == "send_location" else (131009, "Action name is not valid.")
        case "contact_request":
            return None if action.get("name") == "request_contact_info" else (131009, "Action name is not valid.")
        case "cta_url":
            return None
        case kind:
            return 131009, f"Interactive type {kind} is not valid."


def _buttons(buttons: Any) -> Problem | None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= LIMITS["buttons"]:
        return 131009, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3"
    replies = [button.get("reply", {}) if isinstance(button, dict) else {} for button in buttons]
    for reply in replies:
        wrong = _length("Button title", reply.get("title"), LIMITS["button_title"])
        wrong = wrong or _length("Button id", reply.get("id"), LIMITS["button_id"])
        if wrong is None and reply["title"] != reply["title"].strip():
            wrong = 131009, "Button title has leading or trailing blanks"
        if wrong is not None:
            return wrong
    return _unique("Button title", [r["title"] for r in replies]) or _unique("Button id", [r["id"] for r in replies])


def _list(action: Mapping[str, Any]) -> Problem | None:
    wrong = _length("List button", action.get("button"), LIMITS["list_button"])
    if wrong is not None:
        return wrong
    sections = action.get("sections")
    if not isinstance(sections, list) or not 1 <= len(sections) <= LIMITS["rows"]:
        return 131009, "Invalid sections count. Min allowed: 1, Max allowed: 10"
    if len(sections) > 1 and not all(isinstance(s, dict) and s.get("title") for s in sections):
        return 131009, "Section title is required when there is more than one section"
    rows = [row for section in sections for row in (section.get("rows") or ())]
    if not 1 <= len(rows) <= LIMITS["rows"]:
        return 131009, "Invalid rows count. Min allowed: 1, Max allowed: 10"
    for row in rows:
        wrong = _length("Row title", row.get("title"), LIMITS["row_title"])
        wrong = wrong or _length("Row id", row.get("id"), LIMITS["row_id"])
        wrong = wrong or _length("Row description", row.get("description", "-"), LIMITS["row_about"])
        if wrong is not None:
            return wrong
    return _unique("Row id", [row["id"] for row in rows])


def _template(content: Mapping[str, Any], templates: Mapping[str, str] | None) -> Problem | None:
    name, language = content.get("name"), content.get("language")
    if not isinstance(name, str) or not isinstance(language, dict) or not language.get("code"):
        return 131008, "The parameters name and language are required."
    if templates is None:
        return None
    if name not in templates:
        return 132001, f"template name ({name}) does not exist in {language['code']}"
    given, wanted = len(template_params(content)), templates[name].count("{{")
    if given != wanted:
        text = f"body: number of localizable_params ({given}) does not match the expected number of params ({wanted})"
        return 132000, text
    return None


def template_params(content: Mapping[str, Any]) -> list[str]:
    """Texts of the body's parameters."""
    return [
        str(parameter.get("text", ""))
        for component in content.get("components") or ()
        if component.get("type") == "body"
        for parameter in component.get("parameters") or ()
    ]


def _length(name: str, value: Any, limit: int, code: int = 131009) -> Problem | None:
    if isinstance(value, str) and 1 <= len(value) <= limit and value.strip():
        return None
    if code == 100:
        return code, f"Param {name} must be at most {limit} characters long."
    return code, f"{name} length invalid. Min length: 1, Max length: {limit}"


def _unique(name: str, values: Sequence[str]) -> Problem | None:
    return None if len(set(values)) == len(values) else (131009, f"{name} must be unique")
