"""Settings of one 1C connection. Nothing named in Russian is fixed: every base has names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class PaymentRows:
    """Where the rows of one kind of money-in document lie, and which field ties them to the order or invoice."""

    document: str  # Document_ПоступлениеНаСчет
    rows: str  # РасшифровкаПлатежа: the tabular part, a resource of its own in OData
    link: str  # Заказ_Key, or a composite field without _Key
    amount: str = "СуммаПлатежа"
    link_to: Literal["order", "invoice"] = "order"
    link_type: str | None = None  # the type to cast to when `link` is a composite field


@dataclass(frozen=True, slots=True)
class StatusRegister:
    """An information register that holds the payment state of a document as a word."""

    name: str = "InformationRegister_СтатусыДокументов"
    document: str = "Документ"  # composite: compared by cast
    status: str = "Статус"


@dataclass(frozen=True, slots=True)
class OnecProfile:
    """OData names of one configuration. Source: contract §6.6; to be checked against `$metadata` of the base."""

    order: str | None
    invoice: str | None
    payments: tuple[PaymentRows, ...] = ()
    status_register: StatusRegister | None = None
    invoice_order: str | None = None  # field of the invoice that names its order
    total: str = "СуммаДокумента"
    comment: str = "Комментарий"  # text attribute that holds our external id
    counterparties: str = "Catalog_Контрагенты"
    inn: str = "ИНН"


PROFILES: Mapping[str, OnecProfile] = {
    "unf": OnecProfile(
        order="Document_ЗаказПокупателя",
        invoice="Document_СчетНаОплату",
        invoice_order="ДокументОснование",
        payments=(
            PaymentRows("Document_ПоступлениеНаСчет", "РасшифровкаПлатежа", "Заказ_Key"),
            PaymentRows("Document_ПоступлениеВКассу", "РасшифровкаПлатежа", "Заказ_Key"),
        ),
    ),
    "bp": OnecProfile(
        order=None,
        invoice="Document_СчетНаОплатуПокупателю",
        payments=(
            PaymentRows(
                "Document_ПоступлениеНаРасчетныйСчет", "РасшифровкаПлатежа", "СчетНаОплату_Key", link_to="invoice"
            ),
            PaymentRows("Document_ПриходныйКассовыйОрдер", "РасшифровкаПлатежа", "СчетНаОплату_Key", link_to="invoice"),
        ),
        status_register=StatusRegister(),
    ),
    "ut": OnecProfile(
        order="Document_ЗаказКлиента",
        invoice="Document_СчетНаОплатуКлиенту",
        invoice_order="ДокументОснование",
        payments=(
            PaymentRows(
                "Document_ПоступлениеБезналичныхДенежныхСредств",
                "РасшифровкаПлатежа",
                "Заказ",
                amount="Сумма",
                link_type="Document_ЗаказКлиента",
            ),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class OnecSettings:
    """One 1C connection: the webhook part needs `webhook_token`, the client part needs `url`."""

    webhook_token: str | None = field(default=None, repr=False)
    allowed_networks: tuple[str, ...] = ()  # CIDR; empty = from anywhere
    base_ids: tuple[str, ...] = ()  # empty = any base
    url: str | None = None  # address of the publication: https://host/unf
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timezone: str = "Europe/Moscow"  # of dates that 1C sends without a zone
    old_after_days: int = 3  # about older documents the customer is not told
    profile: OnecProfile | None = None  # None = OData is not asked
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # {"order.number": ("НомерЗаявки",)}
    payment_words: Mapping[str, str] = field(default_factory=dict)  # {"Закрыт оплатой": "paid"}
    status_map: Mapping[str, str] = field(default_factory=dict)  # code or name in 1C → our word
    final_statuses: tuple[str, ...] = ("completed", "closed", "cancelled")  # our words
