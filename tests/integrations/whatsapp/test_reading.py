"""What each kind of update means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dialogs.events import ButtonPressed, Card, File, Location, MessageReceived
from integrations.base import (
    AddressMoved,
    CannotRead,
    CustomerNoted,
    CustomerSaid,
    DeliveryReported,
    Fact,
    ManagerWrote,
    Nothing,
    Notice,
    Person,
    Received,
    StoredEvent,
)
from integrations.whatsapp.reading import make_reader
from integrations.whatsapp.webhook import WhatsAppWebhook
from tests.integrations.whatsapp.given import NOW, post, sample, settings, stored

WEBHOOK = WhatsAppWebhook(settings())
READ = make_reader(frozenset(settings().numbers))
ANNA = Person(("79161234501", "RU.7100000000000000001"), name="Анна Петрова", phone="+79161234501")
OURS = "wamid.HBgLNzkxNjEyMzQ1MDEVAgARGBRFODlGMjQzQUVFQjY0MjA4QkNFNgA="


def facts(name: str) -> list[Fact]:
    got = WEBHOOK.receive(post(sample(name)))
    assert isinstance(got, Received)
    return [fact for event in got.events if event.state == "waiting" for fact in READ(stored(event))]


def said(name: str) -> CustomerSaid:
    (fact,) = facts(name)
    assert isinstance(fact, CustomerSaid)
    return fact


def received(name: str) -> MessageReceived:
    message = said(name).said
    assert isinstance(message, MessageReceived)
    return message


def test_a_text_with_phone_and_bsuid_links_both_and_answers_to_the_phone() -> None:
    fact = said("02_text_2026_shape.json")
    assert (fact.person, fact.account, fact.channel) == (ANNA, "310000000000001", "whatsapp")
    assert received("02_text_2026_shape.json").text == "Адрес: Москва, ул. Ленина, 5 / оф. 12"


def test_the_old_shape_without_bsuid_is_understood() -> None:
    assert said("01_text_old_shape.json").person.addresses == ("79161234501",)


def test_a_person_with_a_username_only_has_no_phone() -> None:
    person = said("03_text_username_only.json").person
    assert person == Person(("RU.7100000000000000003",), name="Светлана К.", username="svetlana_k")


def test_contacts_are_matched_by_id_and_not_by_place() -> None:
    names = [fact.person.name for fact in facts("59_batch_contacts_reversed.json") if isinstance(fact, CustomerSaid)]
    assert names == ["Анна Петрова", "Борис 🚗"]


def test_emoji_survive_and_nul_does_not() -> None:
    assert "\u200d" in (received("04_text_emoji_zwj.json").text or "")
    assert "\x00" not in (received("06_text_hostile.json").text or "")
    assert len(received("05_text_4096.json").text or "") == 4096
    assert received("81_lone_surrogate.json").text == "обрыв \ufffd конец"


def test_replies_and_forwards_are_told() -> None:
    assert said("07_reply_to_our_message.json").reply_to == OURS
    assert said("08_forwarded.json").extra["forwarded"] is True
    assert said("09_frequently_forwarded.json").extra["forwarded"] is True
    assert said("37_product_inquiry.json").extra["referred_product"]["product_retailer_id"] == "lenta-57"
    assert said("38_referral_ad.json").extra["referral"]["ctwa_clid"] == "Afd-DEMO-clid"


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("10_image_caption.json", File("4100000000000001", "photo", None, "image/jpeg"), "Фото чека"),
        ("11_image_no_caption_no_url.json", File("4100000000000002", "photo", None, "image/jpeg"), None),
        ("12_video_forwarded.json", File("4100000000000003", "video", None, "video/mp4"), "Вот так мигает"),
        ("13_voice_note.json", File("4100000000000004", "voice", None, "audio/ogg; codecs=opus"), None),
        ("14_audio_file.json", File("4100000000000005", "audio", None, "audio/mpeg"), None),
        (
            "15_document_cyrillic_name.json",
            File("4100000000000006", "file", 'Счёт №17 от 01.02.26 / ООО "Ромашка".pdf', "application/pdf"),
            "счёт",
        ),
        (
            "16_document_path_traversal.json",
            File("4100000000000007", "file", "../../etc/passwdfdp.exe", "application/octet-stream"),
            None,
        ),
    ],
)
def test_files_keep_their_media_id(name: str, file: File, text: str | None) -> None:
    message = received(name)
    assert (message.files, message.text, message.unsupported) == ((file,), text, False)


def test_only_media_without_words_may_belong_to_an_album() -> None:
    albums = [
        said(f"{name}.json").album for name in ("11_image_no_caption_no_url", "10_image_caption", "13_voice_note")
    ]
    assert albums == ["310000000000001:79161234501", None, None]


def test_a_sticker_cannot_be_read() -> None:
    message = received("17_sticker_animated.json")
    assert message.unsupported
    assert message.files[0].kind == "sticker"


def test_places_have_name_and_address_or_not() -> None:
    assert received("18_location_named.json").location == Location(
        55.7558, 37.6173, "Кафе «Чайка»", "Москва, Тверская, 1"
    )
    assert received("19_location_bare.json").location == Location(55.0, -0.1)


def test_only_the_card_that_was_asked_for_is_the_senders_own() -> None:
    own = said("21_contact_request_answer.json")
    assert isinstance(own.said, MessageReceived)
    assert own.said.card == Card(("+7 926 777-88-99",), None, is_own=True)
    assert own.person.addresses == ("RU.7100000000000000003", "79267778899")
    assert own.person.phone == "+79267778899"
    assert received("22_contact_shared_other.json").card == Card(("+7 903 111-22-33",), "Пётр", is_own=False)
    two = said("20_contacts_two.json")
    assert isinstance(two.said, MessageReceived)
    assert two.said.card == Card(("+7 (916) 000-11-22",), "Иван Мастер")
    assert two.person == ANNA
    assert two.extra["cards"] == [{"name": "Бухгалтерия", "phones": ["8 495 111-22-33"]}]


@pytest.mark.parametrize(
    ("name", "payload", "title"),
    [
        ("23_button_reply.json", "flow:lead:v3:step:confirm:yes", "Да, верно"),
        ("24_button_reply_context_from_phone_id.json", "flow:lead:v3:step:confirm:no", "Нет"),
        ("25_list_reply.json", "topic:printer", "Принтер чеков"),
        ("26_list_reply_stale_step.json", "flow:lead:v1:topic:old", "Старый пункт"),
    ],
)
def test_presses_carry_their_id(name: str, payload: str, title: str) -> None:
    press = said(name).said
    assert isinstance(press, ButtonPressed)
    assert (press.payload, press.title) == (payload, title)


@pytest.mark.parametrize(
    ("name", "text", "payload"),
    [
        ("29_template_quick_reply.json", "Отлично", "rate:5"),
        ("30_template_quick_reply_no_context.json", "Отписаться", "Отписаться"),
    ],
)
def test_a_quick_reply_of_a_template_is_typed_text(name: str, text: str, payload: str) -> None:
    fact = said(name)
    assert isinstance(fact.said, MessageReceived)
    assert (fact.said.text, fact.extra["payload"]) == (text, payload)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("28_interactive_without_body.json", 131000),
        ("42_unsupported_poll.json", 131051),
        ("43_unsupported_unavailable.json", 131060),
        ("44_unsupported_media_too_big.json", 131052),
    ],
)
def test_what_meta_does_not_pass_on_is_unsupported_and_says_why(name: str, code: int) -> None:
    fact = said(name)
    assert isinstance(fact.said, MessageReceived)
    assert fact.said.unsupported
    assert fact.extra["errors"][0]["code"] == code


def test_an_unknown_type_and_a_form_are_unsupported() -> None:
    assert received("45_unknown_message_type.json").unsupported
    assert received("27_flow_reply.json").unsupported
    assert "dlg-42" in said("27_flow_reply.json").extra["form"]


def test_a_cart_is_unsupported_but_its_lines_can_be_read_by_a_manager() -> None:
    message = received("36_order.json")
    assert message.unsupported
    assert message.text == "Доставка до 18:00, пожалуйста\nSKU-АТОЛ-91 × 2 — 10990.5 RUB\nlenta-57 × 10 — 55 RUB"
    assert said("36_order.json").extra["order"]["product_items"][0]["item_price"] == "10990.5"


def test_an_edit_replaces_the_text_of_a_message() -> None:
    message = received("33_edit.json")
    assert message.edits == "wamid.HBgLNzkxNjEyMzQ1MDEVAgASGBQyN0ZBRkQyMTM1NTc5NzU5OEYwOQA="
    assert message.text == "Сломалась касса, не печатает чек. Модель АТОЛ 91Ф"


@pytest.mark.parametrize(
    ("name", "kind", "text", "about"),
    [
        ("31_reaction.json", "reaction", "👍", OURS),
        ("32_reaction_removed.json", "reaction", None, OURS),
        (
            "34_revoke.json",
            "deleted",
            None,
            "wamid.HBgLNzkxNjEyMzQ1MDEVAgASGBQyN0ZBRkQyMTM1NTc5NzU5OEYwOQA=",
        ),
        ("35_request_welcome.json", "opened", None, None),
        ("41_system_identity_changed.json", "customer_identity_changed", "User identity changed", None),
        ("72_user_stopped_marketing.json", "preference", "marketing_messages: stop", None),
    ],
)
def test_what_belongs_to_the_history_reaches_no_flow(name: str, kind: str, text: str | None, about: str | None) -> None:
    (fact,) = facts(name)
    assert isinstance(fact, CustomerNoted)
    assert (fact.kind, fact.text, fact.about) == (kind, text, about)


def test_a_new_number_moves_the_person() -> None:
    (moved,) = facts("39_system_changed_number.json")
    assert isinstance(moved, AddressMoved)
    assert (moved.old, moved.new) == ("79161234501", ("79161234599",))
    (moved,) = facts("40_system_changed_user_id.json")
    assert isinstance(moved, AddressMoved)
    assert (moved.old, moved.new) == ("79161234501", ("79161234599", "RU.7100000000000000077"))


def test_an_answer_from_the_phone_app_is_a_managers() -> None:
    (fact,) = facts("73_echo_from_phone_app.json")
    assert isinstance(fact, ManagerWrote)
    assert fact.person.addresses == ("79161234501", "RU.7100000000000000001")
    assert fact.text == "Перезвоню через час (ответил с телефона)"


def test_statuses_have_ranks_and_are_read_in_array_order() -> None:
    ranks = [fact.rank for fact in facts("49_status_out_of_order.json") if isinstance(fact, DeliveryReported)]
    assert ranks == [4, 2, 3]
    (played,) = facts("56_status_played.json")
    (new,) = facts("57_status_new_kind.json")
    assert isinstance(played, DeliveryReported)
    assert isinstance(new, DeliveryReported)
    assert (played.rank, new.status, new.rank) == (5, "warning", -1)


def test_a_failed_status_says_why() -> None:
    (closed,) = facts("51_status_failed_window.json")
    (unreachable,) = facts("52_status_failed_contact_without_profile.json")
    assert isinstance(closed, DeliveryReported)
    assert isinstance(unreachable, DeliveryReported)
    assert (closed.code, closed.window_closed, closed.rank) == ("131047", True, 0)
    assert (unreachable.code, unreachable.window_closed) == ("131026", False)
    assert closed.error


def test_our_key_comes_back_without_the_attempt() -> None:
    (fact,) = facts("54_status_with_opaque.json")
    assert isinstance(fact, DeliveryReported)
    assert fact.key == "outbox:01J9ZK3V5Q8R7T6Y5W4X3Z2A1B:a1"


@pytest.mark.parametrize(
    ("name", "severity", "word"),
    [
        ("66_errors_only.json", "alert", "130429"),
        ("67_template_rejected.json", "warning", "отклонён. Причина: INVALID_FORMAT"),
        ("68_template_paused.json", "alert", "order_ready_ru"),
        ("69_template_category_update.json", "warning", "стала MARKETING"),
        ("70_account_restricted.json", "alert", "RESTRICTED_BIZ_INITIATED_MESSAGING"),
        ("71_quality_update.json", "alert", "TIER_2K"),
    ],
)
def test_the_people_who_run_the_service_are_told(name: str, severity: str, word: str) -> None:
    (fact,) = facts(name)
    assert isinstance(fact, Notice)
    assert fact.severity == severity
    assert word in fact.text


def replayed(name: str) -> tuple[Fact, ...]:
    return tuple(READ(StoredEvent(1, "whatsapp", "replayed", "x", sample(name), NOW)))


def test_replaying_what_was_put_aside_changes_nothing_by_itself() -> None:
    for name in ("74_unknown_field.json", "76_foreign_phone_number.json", "77_foreign_object.json"):
        (fact,) = replayed(name)
        assert isinstance(fact, Nothing)
    for name in ("78_empty_entry.json", "79_missing_metadata.json", "82_truncated_body.json"):
        with pytest.raises(CannotRead):
            replayed(name)


def test_what_was_foreign_is_read_once_the_number_is_ours() -> None:
    read = make_reader(frozenset({"999000000000999"}))
    (fact,) = read(StoredEvent(1, "whatsapp", "foreign", "x", sample("76_foreign_phone_number.json"), NOW))
    assert isinstance(fact, CustomerSaid)


def test_one_wrong_part_of_a_message_does_not_spoil_the_rest() -> None:
    document: dict[str, Any] = json.loads(sample("02_text_2026_shape.json"))
    value = document["entry"][0]["changes"][0]["value"]
    value["contacts"][0]["profile"] = ["x"]
    value["messages"][0] |= {"context": 5, "referral": [], "errors": {"code": 1}, "text": {"body": 7}}
    (fact,) = READ(StoredEvent(1, "whatsapp", "message", "x", json.dumps(document).encode(), NOW))
    assert isinstance(fact, CustomerSaid)
    assert isinstance(fact.said, MessageReceived)
    assert (fact.said.text, fact.person.name, fact.reply_to) == ("7", None, None)


def read_message(**changes: Any) -> list[Fact]:
    """What a text message of Anna's means with these fields of hers instead; None takes a field away."""
    document: dict[str, Any] = json.loads(sample("02_text_2026_shape.json"))
    message = {**document["entry"][0]["changes"][0]["value"]["messages"][0], **changes}
    kept = {name: value for name, value in message.items() if value is not None}
    document["entry"][0]["changes"][0]["value"]["messages"] = [kept]
    return list(READ(StoredEvent(1, "whatsapp", "message", "x", json.dumps(document).encode(), NOW)))


def read_said(**changes: Any) -> CustomerSaid:
    (fact,) = read_message(**changes)
    assert isinstance(fact, CustomerSaid)
    return fact


@pytest.mark.parametrize(
    ("body", "text"),
    [("да", "да"), ("", ""), ("\x00да\x00", "да"), (7, "7"), (1.5, "1.5"), (True, None), ([], None), ({}, None)],
)
def test_a_text_may_be_a_number_and_nothing_else(body: Any, text: str | None) -> None:
    message = read_said(text={"body": body}).said
    assert isinstance(message, MessageReceived)
    assert (message.text, message.unsupported) == (text, text is None)


@pytest.mark.parametrize(
    ("claim", "is_voice"),
    [(True, True), (False, False), (1, True), ("true", True), ("no", False), ("maybe", False), (2, False), ([], False)],
)
def test_a_claim_may_be_written_in_another_way(claim: Any, is_voice: bool) -> None:
    message = read_said(type="audio", audio={"id": "1", "voice": claim}, context={"forwarded": claim})
    assert isinstance(message.said, MessageReceived)
    assert message.said.files == (File("1", "voice" if is_voice else "audio"),)
    assert message.extra.get("forwarded", False) is is_voice


@pytest.mark.parametrize(
    ("code", "known"), [(131051, 131051), ("131051", 131051), (131051.0, 131051), ("poll", None), (1.5, None)]
)
def test_an_error_code_may_be_written_in_another_way(code: Any, known: int | None) -> None:
    extra = read_said(type="unsupported", errors=[{"code": code, "title": "x"}, 5, None]).extra
    assert extra["errors"] == [{"code": known, "details": "x"}]


@pytest.mark.parametrize(
    ("latitude", "place"), [(55.5, 55.5), (55, 55.0), ("55.5", 55.5), (90.5, None), ("x", None), (None, None)]
)
def test_a_place_is_on_the_globe(latitude: Any, place: float | None) -> None:
    message = read_said(type="location", location={"latitude": latitude, "longitude": 1, "name": 5}).said
    assert isinstance(message, MessageReceived)
    assert message.location == (None if place is None else Location(place, 1.0, "5"))
    assert message.unsupported is (place is None)


def test_media_without_an_id_is_unsupported() -> None:
    for media in ({}, {"id": ""}, {"id": "\x00"}, {"id": []}, "x"):
        message = read_said(type="image", image=media).said
        assert isinstance(message, MessageReceived)
        assert (message.files, message.unsupported) == ((), True)


def test_what_comes_with_a_text_is_kept_beside_it() -> None:
    assert read_said().extra == {}
    order = {"catalog_id": 5, "product_items": [{"quantity": "2", "item_price": 9.90}, "x"]}
    extra = read_said(
        referral={"source_id": "1"}, order=order, interactive={"nfm_reply": {"response_json": "{}"}}
    ).extra
    assert extra == {
        "referral": {"source_id": "1"},
        "order": {"catalog_id": "5", "product_items": [{"quantity": 2, "item_price": "9.9"}]},
        "form": "{}",
    }


def test_a_status_has_its_first_error_and_nothing_else_is_needed() -> None:
    document: dict[str, Any] = json.loads(sample("47_status_delivered_2026.json"))
    status = document["entry"][0]["changes"][0]["value"]["statuses"][0]
    status |= {"errors": [None, {"code": "131047"}, {"code": 1}], "timestamp": [], "biz_opaque_callback_data": 5}
    (fact,) = READ(StoredEvent(1, "whatsapp", "status", "x", json.dumps(document).encode(), NOW))
    assert fact == DeliveryReported(
        "whatsapp", status["id"], "delivered", 3, NOW, "5", code="131047", window_closed=True
    )


@pytest.mark.parametrize("missing", [{"id": None}, {"id": []}, {"from": "\x00", "from_user_id": None}])
def test_a_message_without_id_or_person_cannot_be_read(missing: dict[str, Any]) -> None:
    with pytest.raises(CannotRead):
        read_message(**missing)


@pytest.mark.parametrize("field", [[], {}, 5, None])
def test_a_change_with_a_strange_field_cannot_be_read(field: Any) -> None:
    body = json.dumps({"entry": [{"changes": [{"field": field, "value": {}}]}]}).encode()
    with pytest.raises(CannotRead):
        READ(StoredEvent(1, "whatsapp", "unreadable", "x", body, NOW))
