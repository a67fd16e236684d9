"""Field names as 1C programmers send them → names of the contract (§3.3, §3.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from integrations.onec.normalize import is_guid
from integrations.onec.schemas import KINDS, Kind, PaymentState

SECTIONS = (
    "source",
    "document",
    "order",
    "invoice",
    "counterparty",
    "amount",
    "payment",
    "status",
    "shipment",
)

_SECTION_NAMES = {
    "document": ("Документ",),
    "order": ("Заказ",),
    "invoice": ("Счет",),
    "counterparty": ("Контрагент", "Покупатель", "client", "customer"),
    "amount": ("Суммы",),
    "status": ("Статус",),
    "shipment": ("Отгрузка",),
    "source": ("Источник",),
}

_GUID = ("Ref_Key", "УникальныйИдентификатор", "Ссылка", "ИД", "id")
_NUMBER = ("Номер",)
_DATE = ("Дата",)

# Names that are understood inside a section, beside the field's own name.
_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "source": {"base_id": ("base", "База", "ИдентификаторБазы"), "timezone": ("ЧасовойПояс",)},
    "document": {
        "guid": _GUID,
        "type": ("Тип",),
        "number": (*_NUMBER, "НомерДокумента"),
        "date": (*_DATE, "ДатаДокумента"),
        "posted": ("Проведен",),
        "deleted": ("ПометкаУдаления", "DeletionMark"),
        "version": ("ВерсияДанных", "DataVersion", "НомерВерсии"),
    },
    "order": {
        "guid": (*_GUID, "ЗаказGUID", "Заказ_Key"),
        "number": (*_NUMBER, "НомерЗаказа"),
        "date": (*_DATE, "ДатаЗаказа"),
        "external_id": ("НомерНаСайте", "ВнешнийИД", "site_order_id"),
    },
    "invoice": {
        "guid": (*_GUID, "СчетGUID", "Счет_Key", "СчетНаОплату_Key"),
        "number": (*_NUMBER, "НомерСчета"),
        "date": (*_DATE, "ДатаСчета"),
        "due_date": ("СрокОплаты", "ОплатитьДо"),
        "url": ("Ссылка", "СсылкаНаОплату", "payment_url"),
        "file": ("Файл",),
    },
    "counterparty": {
        "guid": (*_GUID, "Контрагент_Key"),
        "name": ("Наименование", "Description", "Представление"),
        "inn": ("ИНН",),
        "kpp": ("КПП",),
        "phone": ("Телефон",),
        "email": ("Почта", "ЭлектроннаяПочта"),
    },
    "amount": {
        "total": ("Сумма", "СуммаДокумента", "sum"),
        "paid": ("СуммаОплаты", "Оплачено"),
        "currency": ("Валюта",),
    },
    "payment": {
        "state": ("СтатусОплаты", "Состояние", "status", "Оплачен"),
        "method": ("СпособОплаты",),
        "purpose": ("НазначениеПлатежа",),
        "paid_at": ("ДатаОплаты",),
    },
    "status": {
        "code": ("Код",),
        "name": ("Наименование", "Представление", "Состояние"),
        "previous": ("Предыдущий",),
        "final": ("Конечный", "Финальный"),
    },
    "shipment": {
        "state": ("Состояние",),
        "date": ("Дата", "ДатаОтгрузки"),
        "carrier": ("Перевозчик", "СлужбаДоставки"),
        "track": ("ТрекНомер", "НомерОтправления"),
    },
}

# Names that are understood at the top level of a flat body, the better one first.
_TOP: Mapping[str, tuple[str, ...]] = {
    "kind": ("kind", "СобытиеТип", "ТипСобытия", "ВидСобытия", "event"),
    "id": ("id",),
    "v": ("v",),
    "seq": ("seq",),
    "occurred_at": ("occurred_at",),
    "notify": ("notify",),
    "test": ("test",),
    "source.base_id": ("base_id",),
    "source.timezone": ("timezone",),
    "document.guid": ("guid", "Ref_Key", "УникальныйИдентификатор", "Ссылка", "ИД"),
    "document.number": ("Номер", "Number", "НомерДокумента"),
    "document.date": ("Дата", "Date", "ДатаДокумента"),
    "document.posted": ("Проведен", "Posted"),
    "document.deleted": ("ПометкаУдаления", "DeletionMark"),
    "document.version": ("ВерсияДанных", "DataVersion", "НомерВерсии"),
    "order.number": ("НомерЗаказа", "order_number"),
    "order.date": ("ДатаЗаказа",),
    "order.guid": ("ЗаказGUID", "Заказ_Key"),
    "order.external_id": ("external_id", "НомерНаСайте", "ВнешнийИД", "site_order_id"),
    "invoice.number": ("НомерСчета",),
    "invoice.guid": ("СчетGUID", "Счет_Key", "СчетНаОплату_Key"),
    "counterparty.guid": ("Контрагент_Key",),
    "counterparty.inn": ("ИНН", "inn"),
    "counterparty.kpp": ("КПП", "kpp"),
    "counterparty.phone": ("Телефон", "phone"),
    "counterparty.email": ("email", "Почта"),
    "amount.total": ("Сумма", "СуммаДокумента", "sum", "total"),
    "amount.paid": ("СуммаОплаты", "Оплачено", "paid"),
    "amount.currency": ("Валюта", "currency"),
    "payment.state": ("СтатусОплаты", "Оплачен"),
    "payment.purpose": ("НазначениеПлатежа",),
    "payment.paid_at": ("ДатаОплаты",),
    "state": ("Состояние",),  # of the payment or of the order: the kind decides
    "status.name": ("СтатусЗаказа", "СостояниеЗаказа"),
    "shipment.track": ("ТрекНомер",),
}

# What a section means when it is not an object: `order` as a string is a number, `amount` as a number is the total.
_SCALAR_SECTIONS = {
    "source": "source.base_id",
    "document": "document.number",
    "order": "order.number",
    "invoice": "invoice.number",
    "counterparty": "counterparty.name",
    "amount": "amount.total",
    "payment": "payment.state",
    "status": "state",
    "shipment": "shipment.state",
}

_KIND_WORDS: Mapping[Kind, tuple[str, ...]] = {
    "payment_status": ("payment", "оплата", "ОплатаЗаказа", "СтатусОплаты"),
    "order_status": ("order", "статус", "СтатусЗаказа"),
    "invoice_issued": ("invoice", "счет", "СчетНаОплату"),
    "shipment": ("отгрузка", "реализация"),
    "refund": ("возврат",),
    "ping": (),
}

_PAYMENT_WORDS: Mapping[PaymentState, tuple[str, ...]] = {
    "paid": ("paid", "Оплачен", "Оплачено", "Оплачена", "Оплачен полностью"),
    "partial": ("partial", "Частично", "Оплачен частично", "Частично оплачен", "Оплачено частично"),
    "unpaid": ("unpaid", "Не оплачен", "Не оплачено", "Не оплачена", "Ожидает оплаты"),
    "overpaid": ("overpaid", "Переплата"),
    "refunded": ("refunded", "Возврат"),
    "cancelled": ("cancelled", "Отменен", "Аннулирован"),
}


def fold(name: str) -> str:
    """Letter case, `_`, spaces, full stops and ё/е do not matter."""
    return _folded(name[:200])  # cut before it is remembered: names are hostile too


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    return re.sub(r"[\s_.\u00a0]", "", name).casefold().replace("ё", "е")


KIND_BY_WORD: Mapping[str, Kind] = {fold(word): kind for kind in KINDS for word in (kind, *_KIND_WORDS[kind])}
PAYMENT_STATE_BY_WORD: Mapping[str, PaymentState] = {
    fold(word): state for state, words in _PAYMENT_WORDS.items() for word in words
}


@dataclass(frozen=True, slots=True)
class AliasTable:
    """Folded names → paths of the contract, with a rank: the lower one wins when two names of a field are sent."""

    top: Mapping[str, tuple[int, str]]
    sections: Mapping[str, str]
    fields: Mapping[str, Mapping[str, tuple[int, str]]]

    @classmethod
    def build(cls, additions: Mapping[str, tuple[str, ...]] | None = None) -> AliasTable:
        """`additions`: names of one base, {"order.number": ("НомерЗаявки",)}; they work flat and in the section."""
        top: dict[str, tuple[int, str]] = {}
        fields: dict[str, dict[str, tuple[int, str]]] = {section: {} for section in SECTIONS}
        for section, names in _FIELDS.items():
            for field_name, aliases in names.items():
                for rank, alias in enumerate((field_name, *aliases)):
                    fields[section].setdefault(fold(alias), (rank, f"{section}.{field_name}"))
        for path, aliases in _TOP.items():
            for rank, alias in enumerate(aliases):
                top.setdefault(fold(alias), (rank, path))
        for section, names in _FIELDS.items():
            for field_name in names:  # order_number, order.number: the contract's own name written flat
                top.setdefault(fold(section + field_name), (50, f"{section}.{field_name}"))
        for path, aliases in (additions or {}).items():
            section = path.partition(".")[0]
            for rank, alias in enumerate(aliases, start=100):
                top[fold(alias)] = (rank, path)
                if section in fields:
                    fields[section][fold(alias)] = (rank, path)
        sections = {fold(name): section for section in SECTIONS for name in (section, *_SECTION_NAMES.get(section, ()))}
        return cls(top, sections, fields)


DEFAULT_TABLE = AliasTable.build()


@dataclass(slots=True)
class FlatEvent:
    """An event as {path: value as sent}. Unknown fields are left out; they stay in the raw record."""

    values: dict[str, Any] = field(default_factory=dict)
    flat: set[str] = field(default_factory=set)  # paths that came from the top level under a name of 1C's
    _ranks: dict[str, int] = field(default_factory=dict)

    def put(self, path: str, value: Any, rank: int, *, is_flat: bool) -> None:
        is_empty = value is None or value == ""
        known = path in self.values and self.values[path] not in (None, "")
        if (known and (is_empty or rank >= self._ranks[path])) or (is_empty and path in self.values):
            return
        self.values[path] = value
        self._ranks[path] = rank
        (self.flat.add if is_flat else self.flat.discard)(path)


def flatten(raw: Mapping[str, Any], table: AliasTable = DEFAULT_TABLE) -> FlatEvent:
    """Find the contract's fields in a body, nested or flat, under any known name. Never raises."""
    event = FlatEvent()
    for name, value in raw.items():
        folded = fold(name)
        section = table.sections.get(folded)
        if section is not None and isinstance(value, Mapping):
            names = table.fields[section]
            for inner, inner_value in value.items():
                if found := names.get(fold(inner)):
                    event.put(found[1], inner_value, found[0], is_flat=False)
        elif section is not None and not isinstance(value, list):
            _put_scalar(event, section, value)
        elif (found := table.top.get(folded)) and (not isinstance(value, Mapping) or "." not in found[1]):
            event.put(found[1], value, 200 + found[0], is_flat=True)
    return event


def _put_scalar(event: FlatEvent, section: str, value: Any) -> None:
    """A section that is a plain value. A GUID is a reference, whatever it was meant to be."""
    path = _SCALAR_SECTIONS[section]
    if section in ("document", "order", "invoice", "counterparty") and is_guid(value):
        path = f"{section}.guid"
    event.put(path, value, 300, is_flat=True)
