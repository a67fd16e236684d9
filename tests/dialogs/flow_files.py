"""A small folder of flows without findings, in which the tests of the verifier make one mistake at a time."""

from __future__ import annotations

from dialogs.flows_set import Loaded, load_folder
from tests.dialogs.catalogue import CATALOGUE

BASE = """\
format: 1
flow: base
title: "Base"
channels: [whatsapp, telegram]
start:
  - {command: start}
vars:
  name: {type: person_name, pii: true}
  topic: {type: choice}
  total: {type: money}
  state: {type: text}
  orders: {type: list}
  issue_id: {type: number}
  city: {type: text, scope: contact}
defaults:
  retry: {max: 3, then: help}
  silence:
    remind:
      - {after: 15m, say: "Still there?"}
    close: {after: 1h, next: quiet}
interrupts:
  - id: stop
    text: ["стоп"]
    phrase: ["хватит уже"]
    command: stop
    next: quiet
  - id: comment
    event: okdesk.comment_added
    if: "event.issue_id = issue_id"
    call: child
    with: {number: "event.number"}
    then: resume
steps:
  - id: name
    ask: "Your name?"
    expect: person_name
    into: name
  - id: topic
    ask: "What about, {name}?"
    into: topic
    options:
      - {id: repair, title: "Repair"}
      - {id: pay, title: "Payment", next: money}
  - id: create
    do: okdesk.create_issue
    with:
      title: "{topic|title}"
      contact_phone: "+79123456789"
    once_per: "{dialog.id}"
    save: {issue_id: "result.id", state: "result.status"}
    outcome: {ok: watch, rejected: help, slow: watch}
    slow_after: 10s
  - id: watch
    wait:
      - {event: okdesk.status_changed, if: "event.final = true", save: {state: "event.status"}, next: news}
      - {message: true, next: topic}
    close: {after: 1d, next: quiet}
  - id: news
    say: "State {state|or:unknown}"
    template: {whatsapp: news, params: ["{state|or:-}"]}
    next: kid
  - id: kid
    call: child
    with: {number: "state"}
    save: {state: "result.end"}
  - id: route
    branch:
      - {if: "topic = 'pay'", next: money}
      - {else: true, next: tell}
  - id: money
    set: {total: "5000", orders: "[]"}
  - id: bill
    say: "To pay {total|rub} in {city|or:town}, {orders}"
  - id: tell
    do: telegram.notify
    with: {text: "{name}"}
    once_per: "{event.id}"
    outcome: {ok: help, rejected: help, slow: help}
    slow_after: 5s
  - id: help
    handoff: managers
    open_say: "Calling {name|or:somebody}"
    closed_say: "Closed"
    outcome: {returned: quiet, closed: quiet, nobody: quiet}
    nobody_after: 30m
  - id: quiet
    end: ok
"""

CHILD = """\
format: 1
flow: child
title: "Child"
channels: [whatsapp, telegram]
callable: true
takes: [number]
returns: [mark]
vars:
  number: {type: text}
  mark: {type: rating}
defaults: {retry: {max: 3, then: failed}, silence: {close: {after: 1h, next: failed}}}
steps:
  - id: rate
    ask: "Rate {number}"
    expect: rating
    into: mark
    template: {whatsapp: rate}
  - id: good
    end: ok
  - id: failed
    end: failed
"""

ALERT = """\
format: 1
flow: alert
title: "Alert"
contact: none
start:
  - {event: order.created, take: {total: "event.total"}}
vars:
  total: {type: money}
steps:
  - id: tell
    do: telegram.notify
    with: {text: "{total|rub}"}
    once_per: "{event.id}"
    outcome: {ok: later, rejected: later, slow: later}
    slow_after: 5s
  - id: later
    wait:
      - {event: order.problem, next: done}
    close: {after: 1d, next: done}
  - id: done
    end: ok
"""

PROJECT = """\
project: 1
groups:
  managers: {personal_data: true}
  shop: {}
templates:
  news: {lang: ru, params: 1}
  rate: {lang: ru, params: 0}
"""

ENGLISH = """\
translates: child
lang: en
texts:
  title: "A child"
  rate.ask: "Please rate {number}"
"""

FILES = {
    "alert.yaml": ALERT,
    "base.yaml": BASE,
    "child.yaml": CHILD,
    "child.en.yaml": ENGLISH,
    "project.yaml": PROJECT,
}

Edit = tuple[str, str, str]  # file, what is written there, what stands there instead


def edited(*edits: Edit) -> dict[str, str]:
    """FILES with `edits`; a file that is not among them is new."""
    files = dict(FILES)
    for name, old, new in edits:
        if name not in files:
            files[name] = new
        else:
            assert files[name].count(old) == 1, (name, old, files[name].count(old))
            files[name] = files[name].replace(old, new)
    return files


def load(files: dict[str, str]) -> Loaded:
    return load_folder({name: text.encode() for name, text in files.items()}, CATALOGUE, timezone="Europe/Moscow")
