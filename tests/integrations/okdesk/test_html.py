from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.okdesk.html import LARGEST_HTML, to_html, to_text
from tests.work import lines_run


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Касса №2 не печатает чек.<br>На экране ошибка 17.", "Касса №2 не печатает чек.\nНа экране ошибка 17."),
        ("<p>Добрый день!</p><p>Пришлите <b>фото</b></p>", "Добрый день!\nПришлите фото"),
        ('Вот <a href="https://example.ru/help">инструкция</a>', "Вот инструкция (https://example.ru/help)"),
        ('<a href="https://example.ru">https://example.ru</a>', "https://example.ru"),
        ('<a href="javascript:alert(1)">тык</a>', "тык"),
        ('<a title="a>b" href="https://e.ru/?a=1&amp;b=2">x</a>', "x (https://e.ru/?a=1&b=2)"),
        ("8&nbsp;&lt;17&gt; &amp; всё", "8 <17> & всё"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<style>p {}</style><SCRIPT>alert('<b>')</SCRIPT>да", "да"),
        ("<!-- нет -->да<!-- и тут", "да"),
        ('<div class="WordSection1"><p class=MsoNormal>Счёт<img src="/x"></p></div>', "Счёт"),
        ("ответ<blockquote type=cite><div>старое</div></blockquote>", "ответ"),
        ('ответ<div class="gmail_quote"><div>старое</div>ещё</div>конец', "ответ\nконец"),
        ("<ul><li>раз</li><li>два</li></ul>", "• раз\n• два"),
        ("<tr><td>1</td><td>2</td></tr>", "1 2"),
        ("строка\nвторая, a < b и <3", "строка\nвторая, a < b и <3"),
        ("<p>в\nодну</p>", "в одну"),
        ("<p>a < b</p>", "a < b"),
        ("&nbsp;<p>\N{ZERO WIDTH SPACE}</p>", ""),
    ],
)
def test_html_of_okdesk_becomes_readable_text(html: str, text: str) -> None:
    assert to_text(html) == text


def test_a_long_text_is_cut_with_a_link_to_read_on() -> None:
    text = to_text("я" * 5000, link="https://a.okdesk.ru/issues/1")
    assert len(text) == 3500
    assert text.endswith("…\nhttps://a.okdesk.ru/issues/1")


def test_text_of_a_customer_is_escaped() -> None:
    assert to_html('a <b> & "c"\r\nd') == 'a &lt;b&gt; &amp; "c"<br>d'


@given(st.lists(st.text(alphabet="абв<>&;\"'bra/1!-", min_size=1), max_size=5).map("\n".join))
def test_what_goes_out_comes_back(text: str) -> None:
    assert to_text(to_html(text)) == text


@settings(max_examples=200)
@given(st.text(alphabet="<>/!-&;=\"' abpdivrcsty\n", max_size=300))
def test_no_html_breaks_the_reader(html: str) -> None:
    assert len(to_text(html)) <= 3500


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<a '", "<!--", "<a><b>", "<a href='x'>", "&", "<script>", '<a ">', "&#", "<div class=gmail_quote>"],
)
def test_hostile_html_is_work_for_its_length(piece: str) -> None:
    html = piece * (2 * LARGEST_HTML // len(piece)) + ">"
    assert lines_run(lambda: to_text(html)) < 20 * LARGEST_HTML
