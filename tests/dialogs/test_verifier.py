# ruff: noqa: E501 — a case is a line
"""Every code of FLOWS.md section 15: one flow that has it, on the line that ends in `#!`, and flows that almost do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dialogs.findings import RULES, format_finding
from tests.dialogs.flow_files import CHILD, Edit, edited, load

MARK = "#!"
OTHER = CHILD.replace("flow: child", "flow: other").replace(
    "callable: true", "start: [{command: other}]\ncallable: true"
)
OTHER = OTHER.replace("    template: {whatsapp: rate}\n", "")
X4000, X1000 = "x" * 4000, "x" * 1000


@dataclass(frozen=True)
class Case:
    code: str
    step: str | None  # that the finding names; "": not asked
    wrong: tuple[Edit, ...]
    right: tuple[tuple[Edit, ...], ...]  # near misses


def case(code: str, step: str | None, *wrong: Edit, right: tuple[tuple[Edit, ...], ...]) -> Case:
    return Case(code, step, wrong, right)


def base(old: str, new: str) -> Edit:
    return "base.yaml", old, new


def child(old: str, new: str) -> Edit:
    return "child.yaml", old, new


def alert(old: str, new: str) -> Edit:
    return "alert.yaml", old, new


def english(old: str, new: str) -> Edit:
    return "child.en.yaml", old, new


def project(old: str, new: str) -> Edit:
    return "project.yaml", old, new


def new_file(name: str, text: str) -> Edit:
    return name, "", text


INTO = "    expect: person_name\n    into: name\n"
TELL = '    with: {text: "{name}"}\n    once_per: "{event.id}"\n    outcome: {ok: help'
PAY = '      - {id: pay, title: "Payment", next: money}\n'
REMIND = '      - {after: 15m, say: "Still there?"}\n'
LAST = "  - id: quiet\n    end: ok\n"
LISTED = (
    base('    set: {total: "5000", orders: "[]"}\n', '    set: {total: "5000", orders: "[]"}\n    next: pick\n'),
    base("  - id: bill\n", (
        "  - id: pick\n    ask: \"Which?\"\n    options_from: {list: orders, id: \"item.id\", title: \"{item.number}\"}\n"
        "    into: issue_id\n  - id: bill\n"
    )),
)  # fmt: skip


def options(*titles: str) -> str:
    lines = [f'      - {{id: o{number}, title: "{title}"}}' for number, title in enumerate(titles)]
    return "\n".join(lines) + "\n"


REPAIR = '      - {id: repair, title: "Repair"}\n'

CASES = [
    # ------------------------------------------------------------------------------------------------------ structure
    case("Y01", None, base("    end: ok\n", '    end: "ok #!\n'), right=((base("    end: ok\n", '    end: "ok"\n'),),)),
    case("Y02", "", base("    next: kid\n", "    next: kid\n    next: kid #!\n"),
         right=((base("    next: kid\n", "    next: kid\n    note: kid\n"),),)),
    case("Y03", "name", base(INTO, INTO + "    gaol: x #!\n"), right=((base(INTO, INTO + "    goal: x\n"),),)),
    case("Y03", None, base(LAST, LAST + 'tests:\n  - name: "t"\n    chat:\n      - {in: "/start", hears: "x"} #!\n'),
         right=((base(LAST, LAST + 'tests:\n  - name: "t"\n    chat:\n      - {in: "/start", out: ["x"]}\n'),),)),
    case("Y04", "tell", base("    slow_after: 5s\n", "    slow_after: soon #!\n"),
         right=((base("    slow_after: 5s\n", "    slow_after: 10m\n"),),)),
    case("Y04", "route", base("      - {else: true, next: tell}", '      - {else: true, if: "true", next: tell} #!'),
         right=()),
    case("Y04", "watch", base("      - {message: true, next: topic}", "      - {next: topic} #!"), right=()),
    case("Y04", None, base("  - {command: start}\n", '  - {command: start, text: ["x"]} #!\n'),
         right=((base("  - {command: start}\n", '  - {command: start}\n  - {text: ["x"]}\n'),),)),
    case("Y04", None, base(LAST, LAST + 'tests:\n  - name: "t"\n    chat:\n      - {in: "/start", ends: fine} #!\n'),
         right=((base(LAST, LAST + 'tests:\n  - name: "t"\n    chat:\n      - {in: "/start", ends: ok}\n'),),)),
    case("Y05", "", base("    end: ok\n", "    end: &a ok #!\n"), right=((base('"Base"', '"Base &a"'),),)),
    case("Y06", None, base("format: 1\n", "format: 2 #!\n"), right=()),
    case("Y07", "quiet", base("  - id: quiet\n", '  - id: quiet #!\n    say: "x"\n'), right=()),
    # ----------------------------------------------------------------------------------------------------------- flow
    case("F01", None, new_file("later.yaml", OTHER.replace("flow: other", "flow: base #!")),
         right=((new_file("later.yaml", OTHER),),)),
    case("F02", "quiet", base(LAST, LAST + "  - id: quiet #!\n    end: failed\n"), right=()),
    case("F02", "topic", base(PAY, PAY + '      - {id: pay, title: "Other"} #!\n'),
         right=((base(PAY, PAY + '      - {id: pay_more, title: "Other"}\n'),),)),
    case("F02", None, base("steps:\n", '  - {id: stop, text: ["нет"], next: quiet} #!\nsteps:\n'), right=()),
    case("F03", "news", base("    next: kid\n", "    next: kit #!\n"), right=((base("    next: kid\n", ""),),)),
    case("F03", None, base("max: 3, then: help}\n", "max: 3, then: helb} #!\n"), right=()),
    case("F04", "lost", base(LAST, LAST + "  - id: lost #!\n    end: ok\n"), right=(
        (base(LAST, LAST + "  - id: lost\n    end: ok\n"), base("nobody: quiet", "nobody: lost")),
        (base(LAST, LAST + "  - id: lost\n    end: ok\n"), base("command: stop\n    next: quiet", "command: stop\n    next: lost")),
    )),
    case("F05", "quiet", base(LAST, '  - id: quiet #!\n    say: "Bye"\n    template: {whatsapp: rate}\n'),
         right=((base(LAST, '  - id: quiet\n    say: "Bye"\n    template: {whatsapp: rate}\n  - id: over\n    end: ok\n'),),)),
    case("F06", "trap", base("nobody: quiet", "nobody: trap"), base(LAST, LAST + (
        '  - id: trap #!\n    wait:\n      - {message: true, next: trap}\n    close: {after: 1d, next: trap}\n')),
        right=((base("nobody: quiet", "nobody: trap"), base(LAST, LAST + (
            '  - id: trap\n    wait:\n      - {message: true, next: trap}\n    close: {after: 1d, next: quiet}\n')),),)),
    case("F07", "route", base("      - {else: true, next: tell}\n", ""), base("    branch:\n", "    branch: #!\n"),
         base("{if: \"topic = 'pay'\", next: money}", "{if: \"topic = 'pay'\", next: tell}"), right=()),
    case("F07", "route", base("      - {if: \"topic = 'pay'\", next: money}\n      - {else: true, next: tell}\n",
                              "      - {else: true, next: tell} #!\n      - {if: \"topic = 'pay'\", next: money}\n"),
         right=((base("      - {if: \"topic = 'pay'\", next: money}\n", ""),),)),
    case("F08", "tell", base("slow: help}\n    slow_after: 5s", "slow: again}\n    slow_after: 5s"), base("  - id: tell\n", "  - id: tell #!\n"),
         base(LAST, LAST + '  - id: again\n    set: {total: "1"}\n    next: tell\n'),
         right=((base("slow: help}\n    slow_after: 5s", "slow: again}\n    slow_after: 5s"),
                 base(LAST, LAST + '  - id: again\n    wait: []\n    close: {after: 1m, next: tell}\n')),)),
    case("F09", "topic", base(PAY, PAY + '      - {id: fix, title: "Change", edit: name} #!\n'), right=(
        (base(PAY, PAY + '      - {id: fix, title: "Change", edit: name}\n    edited: topic\n'),),)),
    case("F10", "rate", child("retry: {max: 3, then: failed}, ", ""), child("  - id: rate\n", "  - id: rate #!\n"), right=(
        (child("retry: {max: 3, then: failed}, ", ""), child("    into: mark\n", "    into: mark\n    retry: {max: 1, then: good}\n")),)),
    case("F11", "rate", child(", silence: {close: {after: 1h, next: failed}}", ""), child("  - id: rate\n", "  - id: rate #!\n"), right=(
        (child(", silence: {close: {after: 1h, next: failed}}", ""),
         child("    into: mark\n", "    into: mark\n    silence: {close: {after: 1h, next: good}}\n")),)),
    case("F12", "name", base("    remind:\n" + REMIND, '    remind: #!\n      - {after: 2h, say: "Still there?"}\n'), right=(
        (base("    remind:\n" + REMIND, '    remind:\n      - {after: 59m, say: "Still there?"}\n'),),)),
    case("F12", "topic", base(PAY, PAY + (
        '    silence:\n      remind: #!\n        - {after: 2m, say: "a"}\n        - {after: 1m, say: "b"}\n'
        "      close: {after: 1h, next: quiet}\n")), right=()),
    case("F13", "name", base("  - id: name\n", "  - id: name #!\n"), base("expect: person_name", "expect: [person_name, choice]"), right=()),
    case("F14", None, base("start:\n  - {command: start}\n", ""), base("flow: base\n", "flow: base #!\n"),
         right=((base("start:\n  - {command: start}\n", "callable: true\n"),),)),
    case("F15", "kid", base("    call: child\n    with: {number: \"state\"}\n    save: {state: \"result.end\"}\n", "    call: nobody #!\n"),
         right=()),
    case("F15", None, english("translates: child", "translates: nobody #!"), right=()),
    case("F16", "kid", base('save: {state: "result.end"}', 'save: {state: "result.end", issue_id: "result.stars"} #!'),
         right=((base('save: {state: "result.end"}', 'save: {state: "result.end", issue_id: "result.mark"}'),),)),
    case("F17", "kid", base("    call: child\n    with: {number: \"state\"}\n    save: {state: \"result.end\"}\n",
                            '    call: child #!\n    with: {number: "state"}\n'),
         right=((base("    save: {state: \"result.end\"}\n", ""), child("    end: failed", "    end: ok")),)),
    case("F18", "good", child("  - id: good\n    end: ok\n", (
        '  - id: good\n    call: child #!\n    with: {number: "number"}\n    save: {number: "result.end"}\n'
        "    next: failed\n")), right=()),
    case("F19", None, base("    command: stop\n    next: quiet\n",
                           '    command: stop\n    next: quiet\n  - id: bye\n    phrase: ["всё пока"]\n    text:\n      - "пока"\n      - "Стоп!" #!\n    next: quiet\n'),
         right=((base("    command: stop\n    next: quiet\n",
                      '    command: stop\n    next: quiet\n  - id: bye\n    text: ["пока", "стоп стоп"]\n    next: quiet\n'),),)),
    case("F20", "topic", base(REPAIR, REPAIR + '      - {id: halt, title: "СТОП"} #!\n'), right=(
        (base(REPAIR, REPAIR + '      - {id: halt, title: "Стоп машина"}\n'),),
        (base(REPAIR, REPAIR + '      - {id: again, title: "Назад", go: back}\n'),
         base("steps:\n", '  - {id: again, text: ["назад"], go: back}\nsteps:\n')),
    )),
    case("F21", None, base('    phrase: ["хватит уже"]\n', '    phrase: ["хватит"] #!\n'),
         right=((base('    phrase: ["хватит уже"]\n', '    text: ["хватит"]\n'), base('    text: ["стоп"]\n', "")),)),
    case("F22", None, base("  - {command: start}\n", "  - {command: start}\n  - {command: other} #!\n"),
         new_file("other.yaml", OTHER), right=(
        (base("  - {command: start}\n", '  - {command: start}\n  - {text: ["other"]}\n'), new_file("other.yaml", OTHER)),
        (base("  - {command: start}\n", '  - {command: start, if: "event.payload = \'x\'"}\n  - {command: start}\n'),),
    )),
    case("F23", "done", alert("    end: ok\n", '    say: "Bye" #!\n  - id: over\n    end: ok\n'), right=()),
    case("F23", None, alert("steps:\n", '  - {command: alert} #!\nsteps:\n'), alert("vars:\n  total: {type: money}\n", ""),
         alert('start:\n', 'vars: {total: {type: money}}\nstart:\n'), right=()),
    case("F24", None, base("    then: resume\n", "    then: resume\n    next: quiet #!\n"), right=()),
    case("F24", "topic", base(PAY, PAY.replace("next: money}", "next: money, go: back} #!")), right=()),
    case("F24", "watch", base("      - {message: true, next: topic}\n", '      - {message: true, next: topic, call: child, with: {number: "state"}} #!\n'),
         right=((base("      - {message: true, next: topic}\n", '      - {message: true, call: child, with: {number: "state"}, then: resume}\n'),
                 ),)),
    case("F25", "kid", base('    with: {number: "state"}\n    save', '    with: {numbers: "state"} #!\n    save'), right=()),
    case("F25", None, base("    call: child\n    with: {number: \"event.number\"}\n", "    call: child #!\n"), right=()),
    case("F26", "watch", base("      - {message: true, next: topic}\n", "      - {message: true, next: topic}\n      - {message: true, next: quiet} #!\n"),
         right=((base("      - {message: true, next: topic}\n",
                      '      - {message: true, if: "event.text = \'1\'", next: topic}\n      - {message: true, next: quiet}\n'),),)),
    case("F26", None, base("  - {command: start}\n", "  - {command: start}\n  - {command: start} #!\n"), right=()),
    # ---------------------------------------------------------------------------------------------------------- names
    case("N01", "help", base('    closed_say: "Closed"\n', '    closed_say: "Closed, {nome|or:x}" #!\n'),
         right=((base('    closed_say: "Closed"\n', '    closed_say: "Closed, {name|or:x} {dialog.id} {channel} {contact.id}"\n'),),)),
    case("N01", "news", base('params: ["{state|or:-}"]}', 'params: ["{event.text|or:-}"]} #!'), right=()),
    case("N01", "tell", base(TELL, TELL.replace("{event.id}", "{event.kind}") .replace('once_per: "{event.kind}"', 'once_per: "{event.kind}" #!')),
         right=((base(TELL, TELL.replace("{event.id}", "{dialog.id}-{event.id}")),),)),
    case("N01", "money", base('set: {total: "5000", orders: "[]"}', 'set: {total: "result.total", orders: "[]"} #!'), right=()),
    case("N01", "bill", base('{orders}"', '{orders[0].id} {name.first|or:x}" #!'), right=((base('{orders}"', '{orders[0].id}"'),),)),
    case("N02", "route", base("{if: \"topic = 'pay'\", next: money}", "{if: \"topic == 'pay'\", next: money} #!"), right=()),
    case("N02", "route", base("{if: \"topic = 'pay'\", next: money}", "{if: \"len(topic)\", next: money} #!"),
         right=((base("{if: \"topic = 'pay'\", next: money}", "{if: \"len(topic) > 3\", next: money}"),),)),
    case("N03", "bill", base("{total|rub}", "{total|roubles}"), base("in {city|or:town}, {orders}\"", "in {city|or:town}, {orders}\" #!"),
         right=((base("{total|rub}", "{total|rub|short:9|lower}"),),)),
    case("N03", "bill", base("{city|or:town}, {orders}\"", "{city|short:0}, {orders}\" #!"), right=()),
    case("N04", "bill", base("{city|or:town}, {orders}\"", "{city|or:town}, {orders\" #!"),
         right=((base("{city|or:town}, {orders}\"", "{city|or:town}, {orders} {{x}}\""),),)),
    case("N05", "create", base('save: {issue_id: "result.id", state: "result.status"}', 'save: {issue_id: "result.id", stat: "result.status"} #!'), right=()),
    case("N05", "name", base(INTO, INTO.replace("into: name", "into: nome #!")), right=()),
    case("N05", None, child("takes: [number]", "takes: [number, size] #!"), right=()),
    case("N06", "name", base('    ask: "Your name?"\n', '    ask: "Your name, {state}?" #!\n'), right=(
        (base('    ask: "Your name?"\n', '    ask: "Your name, {state|or:you}?"\n'),),
        (base('    ask: "Your name?"\n', '    ask: "Your name, {city}?"\n'),),
        (base('    ask: "What about, {name}?"\n', '    ask: "What about, {name}, {state}?"\n'),),  # by `watch`, message
        (child('    ask: "Rate {number}"\n', '    ask: "Rate again {number}"\n'),),
    )),
    case("N06", "create", base('      title: "{topic|title}"\n', '      title: "{topic|title} {orders}" #!\n'), right=()),
    case("N07", "name", base(INTO, "    expect: phone\n    into: name #!\n"), right=((base(INTO, "    expect: [person_name, phone]\n    into: name\n"),),)),
    case("N07", "bill", base("{total|rub} in {city|or:town}, {orders}\"", "{total} in {city|rub}, {orders}\" #!"), right=()),
    case("N07", "create", base('save: {issue_id: "result.id", state: "result.status"}', 'save: {issue_id: "result.number", state: "result.status"} #!'),
         right=((base('save: {issue_id: "result.id", state: "result.status"}', 'save: {issue_id: "result.id", state: "result.number"}'),),)),
    case("N07", "watch", base('if: "event.final = true", save: {state: "event.status"}, next: news}', 'if: "event.status", save: {state: "event.status"}, next: news} #!'),
         right=((base('if: "event.final = true"', 'if: "event.final"'),),
                (base('if: "event.final = true"', 'if: "event.final and filled(state)"'),))),
    case("N07", "watch", base('if: "event.final = true", save: {state: "event.status"}, next: news}', 'if: "event.final = \'true\'", save: {state: "event.status"}, next: news} #!'), right=()),
    case("N08", None, child("vars:\n", "vars:\n  city: {type: address, scope: contact} #!\n"), child('Rate {number}', 'Rate {number} {city}'),
         english("rate {number}", "rate {number} {city}"), right=(
        (child("vars:\n", "vars:\n  city: {type: text, scope: contact}\n"), child('Rate {number}', 'Rate {number} {city}'), english("rate {number}", "rate {number} {city}")),
        (child("vars:\n", "vars:\n  city: {type: address}\n"), child('Rate {number}', 'Rate {number} {city|or:x}'), english("rate {number}", "rate {number} {city}")),
    )),
    case("N09", "route", base("      - {if: \"topic = 'pay'\", next: money}", "      - {if: \"topic in ['pay', 'pai']\", next: money} #!"), right=(
        (base("      - {if: \"topic = 'pay'\", next: money}", "      - {if: \"topic in ['pay', 'repair'] and state = 'pai'\", next: money}"),),)),
    case("N10", None, base("vars:\n", "vars:\n  spare: {type: text} #!\n"), right=(
        (base("vars:\n", "vars:\n  spare: {type: text}\n"), base('{total: "5000"', '{spare: "\'x\'", total: "5000"')),)),
    case("N11", None, base("vars:\n", "vars:\n  item: {type: text} #!\n"), base('{total: "5000"', '{item: "\'x\'", total: "5000"'), right=(
        (base("vars:\n", "vars:\n  items: {type: text}\n"), base('{total: "5000"', '{items: "\'x\'", total: "5000"')),)),
    # ------------------------------------------------------------------------------------------------------- channels
    case("C01", "topic", base(PAY, '      - {id: pay, title: "Payment for the repair", next: money} #!\n'), right=(
        (base(PAY, '      - {id: pay, title: "Payment for a repair", next: money}\n'),),
        (base(PAY, '      - {id: pay, title: "Payment for the repair", about: "By card", next: money}\n'),),
    )),
    case("C01", "topic", base(PAY, PAY + '      - {id: long, title: "Long", about: "' + "x" * 73 + '"} #!\n'), right=()),
    case("C01", "topic", base(PAY, PAY + '    button: "Choose one of these now" #!\n'), right=()),
    case("C01", "pick", *LISTED, base('title: "{item.number}"}\n', 'title: "Number {item.number} of all of them all"} #!\n'),
         right=(LISTED, (*LISTED, base('title: "{item.number}"}\n', 'title: "Number {item.number|short:17}"}\n')))),
    case("C02", "topic", base("    options:\n", "    options: #!\n"), base(PAY, PAY + options(*"abcdefghi")),
         right=((base(PAY, PAY + options(*"abcdefgh")),),)),
    case("C03", "news", base('say: "State {state|or:unknown}"\n', f'say: "{X4000}{"x" * 97}" #!\n'),
         right=((base('say: "State {state|or:unknown}"', f'say: "{X4000}{"x" * 96}{{state|or:{X4000}}}"'),),)),
    case("C03", "topic", base('ask: "What about, {name}?"\n', f'ask: "{X1000}{"x" * 25}" #!\n'),
         right=((base('ask: "Your name?"', f'ask: "{X1000}{"x" * 25}"'),), (base('ask: "What about, {name}?"', f'ask: "{X1000}{"x" * 24}{{name}}"'),))),
    case("C04", "news", base("    template: {whatsapp: news, params: [\"{state|or:-}\"]}\n", ""),
         base('    say: "State {state|or:unknown}"\n', '    say: "State {state|or:unknown}" #!\n'), right=(
        (base("    template: {whatsapp: news, params: [\"{state|or:-}\"]}\n", ""), base("channels: [whatsapp, telegram]", "channels: [telegram]")),
        (base("    template: {whatsapp: news, params: [\"{state|or:-}\"]}\n", ""), base("close: {after: 1d, next: quiet}", "close: {after: 23h, next: quiet}")),
    )),
    case("C04", "name", base("steps:\n  - id: name\n", '  - {id: form, event: okdesk.rated, next: name}\nsteps:\n  - id: name\n'),
         base(INTO, INTO + "    template: {whatsapp: rate}\n    silence: {close: {after: 1h, next: quiet}, remind: [{after: 5m,\n      say: \"Well?\"}]} #!\n"),
         right=((base("steps:\n  - id: name\n", '  - {id: form, event: okdesk.rated, next: name}\nsteps:\n  - id: name\n'),
                 base(INTO, INTO + "    template: {whatsapp: rate}\n    silence: {close: {after: 1h, next: quiet}}\n")),)),
    case("C05", "topic", base(PAY, PAY + '      - {id: pay_too, title: "payment!"} #!\n'), right=((base(PAY, PAY + '      - {id: pay_too, title: "payments"}\n'),),)),
    case("C06", "topic", base(PAY, PAY + '      - {id: yes, title: "*Да*"} #!\n'), right=(
        (base(PAY, PAY + '      - {id: yes, title: "5* отель (центр)"}\n'),),)),
    case("C06", "topic", base(PAY, PAY + '      - {id: yes, title: "Да "} #!\n'), right=()),
    case("C06", "topic", base(PAY, PAY + '      - {id: yes, title: "{name}"} #!\n'), right=()),
    case("C07", "news", base("template: {whatsapp: news, params: [\"{state|or:-}\"]}", "template: {whatsapp: newz, params: [\"{state|or:-}\"]} #!"),
         right=((base("template: {whatsapp: news,", "template: {whatsapp: newz,"), project("templates:\n  news: {lang: ru, params: 1}\n  rate: {lang: ru, params: 0}\n", "")),)),
    case("C08", "news", base("template: {whatsapp: news, params: [\"{state|or:-}\"]}", "template: {whatsapp: news, params: [\"{state|or:-}\", \"x\"]} #!"),
         right=((base("params: [\"{state|or:-}\"]}", "params: [\"x\"]}"),),)),
    # ---------------------------------------------------------------------------------------------------- integrations
    case("I01", "tell", base("    do: telegram.notify\n", "    do: telegram.notifi #!\n"), right=()),
    case("I02", "create", base('      contact_phone: "+79123456789"\n', ""), base("    do: okdesk.create_issue\n", "    do: okdesk.create_issue #!\n"), right=()),
    case("I03", "tell", base("    do: telegram.notify\n", "    do: telegram.notify #!\n"), base('    once_per: "{event.id}"\n', ""), right=(
        (base("    do: telegram.notify\n", "    do: okdesk.find_contact\n"),
         base('    with: {text: "{name}"}\n    once_per: "{event.id}"\n', '    with: {phone: "{name}"}\n')),)),
    case("I04", "create", base('state: "result.status"}', 'state: "result.stat"} #!'), right=((base('state: "result.status"}', 'state: "result.status_name"}'),),)),
    case("I04", "watch", base("      - {message: true, next: topic}\n",
         "      - {event: effect.done, if: \"event.step = 'create'\", save: {state: \"event.result.nomer\"}, next: news} #!\n      - {message: true, next: topic}\n"),
         right=((base("      - {message: true, next: topic}\n",
         "      - {event: effect.done, if: \"event.step = 'create'\", save: {state: \"event.result.number\"}, next: news}\n      - {message: true, next: topic}\n"),),)),
    case("I05", "later", alert("      - {event: order.problem, next: done}", "      - {event: order.problems, next: done} #!"), right=()),
    case("I06", "help", base("    handoff: managers\n", "    handoff: sales #!\n"), right=(
        (base("    handoff: managers\n", "    handoff: sales\n"), project("groups:\n", 'queues: {sales: {title: "Sales"}}\ngroups:\n')),)),
    case("I06", "tell", alert('with: {text: "{total|rub}"}', 'with: {text: "{total|rub}", group: shops} #!'),
         right=((alert('with: {text: "{total|rub}"}', 'with: {text: "{total|rub}", group: shop}'),),)),
    case("I07", "tell", alert('with: {text: "{total|rub}"}', 'with: {text: "{total|rub}", colour: red} #!'),
         right=((alert('with: {text: "{total|rub}"}', 'with: {text: "{total|rub}", topic: "true"}'),),)),
    case("I08", "watch", base('if: "event.final = true", save: {state: "event.status"}, next: news}', 'if: "event.final = true", save: {state: "event.state"}, next: news} #!'), right=()),
    case("I08", None, base("  - {command: start}\n", "  - {command: start, if: \"event.phone = 'x'\"} #!\n"), right=(
        (base("  - {command: start}\n", "  - {command: start, if: \"event.payload = 'x'\"}\n"),),
        (base("  - {command: start}\n", "  - {command: start}\n"),),
    )),
    # ------------------------------------------------------------------------------------- personal data, translations
    case("P01", "tell", base(TELL, TELL.replace('{text: "{name}"}', '{group: shop, text: "{name}"} #!')), right=(
        (base(TELL, TELL.replace('{text: "{name}"}', '{group: shop, text: "{state|or:x}"}')),),)),
    case("P02", "tell", base(TELL, TELL.replace('"{event.id}"', '"{name}-{event.id}" #!')), right=(
        (base(TELL, TELL.replace('"{event.id}"', '"{state}-{event.id}"')),),)),
    case("T01", None, english('  title: "A child"\n', ""), english("texts:\n", "texts: #!\n"), right=((english("A child", "One child"),),)),
    case("T02", None, english('  title: "A child"\n', '  title: "A child"\n  rate.say: "x" #!\n'), right=()),
    case("T03", "", english('"Please rate {number}"', '"Please rate {mark}" #!'), right=(
        (english('"Please rate {number}"', '"{number|or:it}, please"'),),)),
    # --------------------------------------------------------------------------------------------- publishing, tests
    case("R02", None, base("steps:\n", "publish:\n  running: move\n  moved:\n    old: news #!\nsteps:\n"), right=(
        (base("steps:\n", "publish:\n  running: move\n  moved:\n    old: watch\nsteps:\n"),),)),
    *(
        case("X01", None, base(LAST, LAST + f'tests:\n  - name: "t"\n    chat:\n      - {{in: "/start"}}\n      - {{{wrong}}} #!\n'),
             right=((base(LAST, LAST + f'tests:\n  - name: "t"\n    chat:\n      - {{in: "/start"}}\n      - {{{right}}}\n'),),))
        for wrong, right in (
            ("press: repare", "press: repair"),
            ('press: "6"', 'press: "5"'),
            ("old_press: {step: topik, option: repair}", "old_press: {step: base.topic, option: repair}"),
            ("old_press: {step: topic, option: repare}", "old_press: {step: topic, option: repair}"),
            ("event: {kind: order.make}", "event: {kind: order.created}"),
            ("result: {step: topic, ok: {}}", "result: {step: tell, ok: {}}"),
            ('in: "x", buttons: [repair, pai]', 'in: "x", buttons: [repair, pay]'),
            ('in: "x", at: child.rat', 'in: "x", at: child.rate'),
            ('in: "x", at: nowhere', 'in: "x", at: rate'),
            ('in: "x", does: okdesk.create_isue', 'in: "x", does: handoff'),
            ('in: "x", does: {telegram.notifi: {}}', 'in: "x", does: {telegram.notify: {}}'),
            ('in: "x", does_not: handof', 'in: "x", does_not: telegram.notify'),
            ('in: "x", vars: {nome: null}', 'in: "x", vars: {mark: null}'),
        )
    ),
    case("X01", None, child("steps:\n", 'tests:\n  - name: "t"\n    known: {town: "x"} #!\n    chat:\n      - {begin: {}}\nsteps:\n'), right=(
        (child("steps:\n", 'tests:\n  - name: "t"\n    known: {city: "x"}\n    chat:\n      - {begin: {number: "5"}}\nsteps:\n'),),)),
    case("X01", None, child("steps:\n", 'tests:\n  - name: "t"\n    chat:\n      - {begin: {size: 5}} #!\nsteps:\n'), right=()),
]  # fmt: skip


def _place(files: dict[str, str]) -> tuple[str, int]:
    (place,) = [
        (name, number)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if line.endswith(MARK)
    ]
    return place


@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_mistake_is_said_once_on_its_line(case: Case, lang: str) -> None:
    files = edited(*case.wrong)
    file, line = _place(files)
    findings = load(files).findings
    if case.code in ("F22", "N08"):  # two files contradict one another, and both are told
        assert len({found.file for found in findings}) == len(findings) == 2
        findings = tuple(found for found in findings if found.file == file)
    (found,) = findings
    assert (found.code, found.file, found.line) == (case.code, file, line)
    if case.step != "":
        assert found.step == case.step
    rule = RULES[case.code]
    printed = format_finding(found, lang)
    named = "" if found.step is None else f"шаг «{found.step}»: " if lang == "ru" else f"step «{found.step}»: "
    sentence = (rule.ru if lang == "ru" else rule.en).partition("{")[0]
    assert printed.startswith(f"{file}:{line}: {case.code} {rule.severity}: {named}{sentence}")


NEAR = [(case.code, edits) for case in CASES for edits in case.right]


@pytest.mark.parametrize(("code", "edits"), NEAR, ids=[code for code, _ in NEAR])
def test_what_is_almost_a_mistake_is_none(code: str, edits: tuple[Edit, ...]) -> None:
    findings = load(edited(*edits)).findings
    assert [format_finding(found, "en") for found in findings] == [], code


def test_the_folder_itself_has_no_findings() -> None:
    assert load(edited()).findings == ()


def test_every_code_is_in_the_table() -> None:
    """R01 is said at publishing (test_moving.py), X02 of tests that were played (test_golden.py)."""
    assert {case.code for case in CASES} == RULES.keys() - {"R01", "X02"}
