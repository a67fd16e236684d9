"""What may be wrong with a flow file: every code of the verifier and its sentences (FLOWS.md section 15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]

_LONGEST_NAME = 200  # characters of a quoted name: a finding is one line that a person reads


class Words(NamedTuple):
    """A word of a finding that differs between the languages."""

    ru: str
    en: str


class Rule(NamedTuple):
    severity: Severity
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the verifier has to say. `ru` and `en` do not name the step, `format_finding` does."""

    code: str
    severity: Severity
    file: str
    line: int  # from 1
    ru: str
    en: str
    step: str | None = None


def _error(ru: str, en: str) -> Rule:
    return Rule("error", ru, en)


def _warning(ru: str, en: str) -> Rule:
    return Rule("warning", ru, en)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Y01": _error("файл не читается как YAML: «{x}»", "cannot read this as YAML: «{x}»"),
        "Y02": _error("ключ «{x}» написан дважды", "key «{x}» is written twice"),
        "Y03": _error("нет такого поля: «{x}»", "no such field: «{x}»"),
        "Y04": _error("«{x}»: неверное или пропущенное значение", "«{x}»: wrong or missing value"),
        "Y05": _error("якоря, ссылки и теги запрещены", "anchors, aliases and tags are not allowed"),
        "Y06": _error("формат «{x}» неизвестен, нужен 1", "unknown format «{x}», 1 is needed"),
        "Y07": _error("у шага должен быть ровно один вид", "a step has exactly one kind"),
        "F01": _error("поток «{x}» уже описан в «{y}»", "flow «{x}» is already in «{y}»"),
        "F02": _error("«{x}» встречается дважды", "«{x}» is used twice"),
        "F03": _error("нет шага «{x}»", "no step «{x}»"),
        "F04": _error("сюда никто не попадёт", "nobody can get here"),
        "F05": _error("после этого шага ничего нет", "nothing follows this step"),
        "F06": _error("отсюда нет пути к концу", "no way from here to an end"),
        "F07": _error("нет «else» последним случаем", "«else» must be the last case"),
        "F08": _error("бесконечный круг без ожидания: «{x}»", "endless loop without waiting: «{x}»"),
        "F09": _error("«edit» без обратного пути", "«edit» without a way back"),
        "F10": _error("нет предела неверных ответов", "no limit of wrong answers"),
        "F11": _error("может ждать вечно", "may wait for ever"),
        "F12": _error("напоминания должны расти и быть раньше «close»", "reminders must grow and come before «close»"),
        "F13": _error("выбор без вариантов", "a choice without options"),
        "F14": _error("поток никто не начнёт", "nobody can begin this flow"),
        "F15": _error("нет потока «{x}» или его нельзя вызвать", "no flow «{x}», or it is not callable"),
        "F16": _error("«{x}» не возвращает «{y}»", "«{x}» does not return «{y}»"),
        "F17": _warning(
            "«{x}» может кончиться неудачей, а result.end не смотрят", "«{x}» may fail and nobody looks at result.end"
        ),
        "F18": _error("поток вызывает сам себя: «{x}»", "the flow calls itself: «{x}»"),
        "F19": _error("слово «{x}» уже занято", "the word «{x}» is taken"),
        "F20": _warning("кнопка «{x}» совпадает с командой", "button «{x}» is also a command"),
        "F21": _warning(
            "фраза из одного слова «{x}» сработает внутри ответа",
            "the one-word phrase «{x}» will fire inside answers",
        ),
        "F22": _error("«{x}» начинает и поток «{y}»", "«{x}» also begins flow «{y}»"),
        "F23": _error("поток без клиента не может «{x}»", "a flow without a customer cannot «{x}»"),
        "F24": _error(
            "прерыванию «{x}» нужны повод и одно действие", "interrupt «{x}» needs an occasion and one action"
        ),
        "F25": _error("«{x}» ждёт параметры «{y}»", "«{x}» takes «{y}»"),
        "F26": _error("случай никогда не наступит", "this case can never happen"),
        "N01": _error("нет переменной «{x}»", "no variable «{x}»"),
        "N02": _error("условие не читается: «{x}»", "cannot read the expression: «{x}»"),
        "N03": _error("нет фильтра «{x}»", "no filter «{x}»"),
        "N04": _error("скобка не закрыта", "a bracket is not closed"),
        "N05": _error("переменная «{x}» не объявлена", "variable «{x}» is not declared"),
        "N06": _error("«{x}» здесь всегда пусто", "«{x}» is always empty here"),
        "N07": _error("«{x}» не подходит по типу", "«{x}» has another type"),
        "N08": _error("«{x}» иначе объявлена в «{y}»", "«{x}» is declared differently in «{y}»"),
        "N09": _error("у «{x}» нет варианта «{y}»", "«{x}» has no option «{y}»"),
        "N10": _warning("«{x}» нигде не используется", "«{x}» is never used"),
        "N11": _error("имя «{x}» занято", "the name «{x}» is reserved"),
        "C01": _error("«{x}»: {n} знаков, можно {m}", "«{x}»: {n} characters, {m} allowed"),
        "C02": _error("вариантов {n}, можно {m}", "{n} options, {m} allowed"),
        "C03": _error("текст {n} знаков, можно {m}", "text of {n} characters, {m} allowed"),
        "C04": _error("может уйти после 24 часов, нужен шаблон", "may go out after 24 hours, needs a template"),
        "C05": _error("два варианта «{x}»", "two options «{x}»"),
        "C06": _error(
            "название «{x}»: пробел по краям, перенос строки, разметка или скобки",
            "title «{x}»: outer blank, line break, markup or brackets",
        ),
        "C07": _error("шаблона «{x}» нет среди одобренных", "template «{x}» is not approved"),
        "C08": _error("шаблону «{x}» нужно параметров: {n}", "template «{x}» takes {n} parameters"),
        "I01": _error("нет действия «{x}»", "no action «{x}»"),
        "I02": _error("«{x}» требует «{y}»", "«{x}» needs «{y}»"),
        "I03": _error("«{x}» пишет наружу, нужен once_per", "«{x}» writes outside and needs once_per"),
        "I04": _error("«{x}» не возвращает «{y}»", "«{x}» does not return «{y}»"),
        "I05": _error("нет события «{x}»", "no event «{x}»"),
        "I06": _error("нет очереди или группы «{x}»", "no queue or group «{x}»"),
        "I07": _error("у «{x}» нет параметра «{y}»", "«{x}» has no parameter «{y}»"),
        "I08": _error("у события «{x}» нет поля «{y}»", "event «{x}» has no field «{y}»"),
        "P01": _warning("личные данные «{x}» уходят в группу", "personal data «{x}» go to a group"),
        "P02": _error("личные данные «{x}» в ключе once_per", "personal data «{x}» in once_per"),
        "T01": _warning("нет перевода «{x}»", "no translation of «{x}»"),
        "T02": _warning("перевод для места, которого нет: «{x}»", "translation of a place that is gone: «{x}»"),
        "T03": _error("в переводе другие переменные: «{x}»", "the translation has other variables: «{x}»"),
        "R01": _error(
            "{n} диалогов ждут в «{x}», скажите, куда их перевести", "{n} dialogs wait in «{x}», say where to move them"
        ),
        "R02": _error("«moved» ведёт к шагу, которого нет: «{x}»", "«moved» leads to no step: «{x}»"),
        "X01": _error("тест называет то, чего нет: «{x}»", "the test names what does not exist: «{x}»"),
        "X02": _warning("тесты не проходят шаги: «{x}»", "no test visits: «{x}»"),
    }
)


def finding(
    code: str,
    *,
    file: str,
    line: int,
    step: str | None = None,
    x: str | int | Words = "",
    y: str | int | Words = "",
    n: int = 0,
    m: int = 10,
) -> Finding:
    """Say `code` of a line. `x` and `y` are the names in question, `n` and `m` how many there are and may be.

    Raises KeyError for a code that section 15 does not have.
    """
    rule = RULES[code]
    x_ru, x_en = _both(x)
    y_ru, y_en = _both(y)
    return Finding(
        code=code,
        severity=rule.severity,
        file=file,
        line=max(line, 1),
        ru=rule.ru.format(x=x_ru, y=y_ru, n=n, m=m),
        en=rule.en.format(x=x_en, y=y_en, n=n, m=m),
        step=step,
    )


def format_finding(found: Finding, lang: str) -> str:
    """One line: `FILE:LINE: CODE severity: sentence`. Russian if `lang` begins with "ru", else English."""
    if lang.startswith("ru"):
        sentence = found.ru if found.step is None else f"шаг «{found.step}»: {found.ru}"
    else:
        sentence = found.en if found.step is None else f"step «{found.step}»: {found.en}"
    return f"{found.file}:{found.line}: {found.code} {found.severity}: {sentence}"


def _both(word: str | int | Words) -> tuple[str, str]:
    if isinstance(word, Words):
        return _one_line(word.ru), _one_line(word.en)
    shown = _one_line(str(word))
    return shown, shown


def _one_line(word: str) -> str:
    """Names come from a file that anybody may have written: no line breaks, no terminal codes, not for ever."""
    line = "".join(char if char.isprintable() else " " for char in word[: _LONGEST_NAME * 2])
    line = " ".join(line.split())
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"
