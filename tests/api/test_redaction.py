from __future__ import annotations

import base64
import html
import json
import random
import string
import time
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_videos.api.redaction import LONGEST, Redactor, redact, without_addresses

KEY = "sk-proj-Zq9+xT/4wLm8Rk2Vb7Nc"
PROMPT = 'A lighthouse "at dusk", a café & its guests\nwaves + wind, 東京タワーの夜景と海と空'


def base64_behind(text: str, before: str = "") -> str:
    return base64.b64encode((before + text).encode()).decode()


def json_text(text: str) -> str:
    return json.dumps(text)[1:-1]


def unicode_escaped(text: str, backslashes: str = "\\") -> str:
    units = text.encode("utf-16-be").hex()
    return "".join(f"{backslashes}u{units[at : at + 4]}" for at in range(0, len(units), 4))


FORMS = {
    "raw": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "swapped case": str.swapcase,
    "percent": lambda text: quote(text, safe=""),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent, three times": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "percent, path": quote,
    "percent, every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "plus": quote_plus,
    "JSON": json_text,
    "JSON, twice": lambda text: json_text(json_text(text)),
    "JSON, three times": lambda text: json_text(json_text(json_text(text))),
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON, slashes": lambda text: json_text(text).replace("/", "\\/"),
    "\\u": unicode_escaped,
    "\\u, twice": lambda text: unicode_escaped(text, "\\\\"),
    "\\u, upper case": lambda text: unicode_escaped(text).upper().replace("U", "u"),
    "\\x": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "HTML": html.escape,
    "HTML, twice": lambda text: html.escape(html.escape(text)),
    "HTML, decimal": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(one):X};" for one in text),
    "percent in JSON": lambda text: json_text(quote(text)),
    "JSON in a query": lambda text: quote_plus(json.dumps({"it": text})),
    "base64": base64_behind,
    "base64, shifted by one": lambda text: base64_behind(text, "x"),
    "base64, shifted by two": lambda text: base64_behind(text, "xy"),
    "base64, unpadded": lambda text: base64_behind(text).rstrip("="),
    "base64, URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, URL, shifted": lambda text: base64.urlsafe_b64encode(b"??" + text.encode()).decode(),
    "base64, percent": lambda text: quote(base64_behind(text), safe=""),
    "base64, upper case": lambda text: base64_behind(text).upper(),
    "basic": lambda text: base64_behind(text, "user:"),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, upper case": lambda text: text.encode().hex().upper(),
    "spaces": lambda text: text.replace(" ", "  \t"),
    "line breaks": lambda text: text.replace(" ", "\r\n"),
    "invisible characters": "\u200b".join,
    "control characters": lambda text: text[:5] + "\x00" + text[5:9] + "\x1b" + text[9:],
    "soft hyphens": "\u00ad".join,
    "full width": lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
    "a piece of twelve": lambda text: text[7:19],
    "its beginning": lambda text: text[:13],
    "its end": lambda text: text[-12:],
}


def pieces(secret: str, length: int = 12) -> list[str]:
    """What must not be left of a secret, in whichever form."""
    forms = (secret, base64_behind(secret), secret.encode().hex())
    return [form[at : at + length].lower() for form in forms for at in range(len(form) - length + 1)]


@pytest.mark.parametrize("secret", [KEY, PROMPT, "pa$$wörd \\ 100%! ünd so fort", "name@example.com:p/w"])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_every_form(secret, form):
    said = redact(f"no: {FORMS[form](secret)} is wrong", [secret])
    assert said.startswith("no:")
    assert "***" in said
    assert not [piece for piece in pieces(secret) if piece in said.lower()]
    assert said.endswith(" is wrong") or "%20" in FORMS[form](secret)


@pytest.mark.parametrize("outer", ["base64", "base64, shifted by one", "hexadecimal", "percent", "JSON"])
@pytest.mark.parametrize("inner", ["base64", "base64, shifted by two", "basic", "hexadecimal"])
def test_a_key_is_hidden_where_it_is_encoded_twice(inner, outer):
    said = redact(f"no: {FORMS[outer](FORMS[inner](KEY))} is wrong", [KEY])
    assert len(said) < len("no: *** is wrong") + 25


@pytest.mark.parametrize("form", ["raw", "percent", "JSON", "base64", "basic", "hexadecimal", "upper case"])
def test_a_short_secret_is_hidden_as_a_whole(form):
    assert "***" in redact(f"no: {FORMS[form]('hunter2')}", ["hunter2"])
    assert redact("hunter 3, unte", ["hunter2"]) == "hunter 3, unte"


def test_less_than_a_piece_is_left():
    assert redact(f"no: {KEY[5:16]}", [KEY]) == f"no: {KEY[5:16]}"
    assert redact("the key abcde", ["abcde", "", None]) == "the key abcde"


def test_what_stands_around_a_secret_is_left():
    assert redact(f"The key {KEY} is not known; see /docs", [KEY]) == "The key *** is not known; see /docs"
    assert redact(f"{KEY}{KEY} and {KEY}", [KEY]) == "*** and ***"


def test_a_secret_that_looks_encoded_itself_is_hidden_however_it_is_decoded():
    secret = "a%2Fb%20c&amp;d\\u0041ef"
    for said in (secret, quote(secret), json_text(secret), "a/b c&dAef"):
        assert redact(f"no: {said}", [secret]) == "no: ***"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("see https://h/p?a=1&b=2 and", "see https://h/p?*** and"),
        ("see https://h/docs/errors.", "see https://h/docs/errors."),
        ("no?query", "no?query"),
        ("what?", "what?"),
        ("/v/x.mp4?sig=abc", "/v/x.mp4?***"),
        ("//cdn/x?t=1", "//cdn/x?***"),
        ("https://h/p#access_token=12", "https://h/p#***"),
        ("https://user:pass@h/p", "https://***@h/p"),
        ("postgres://u:p@db:5432/x", "postgres://***@db:5432/x"),
        ("u:p@db failed", "***@db failed"),
        ("X-Amz-Signature=abc123 is wrong", "X-Amz-Signature=*** is wrong"),
        ("(Expires=1&Signature=abc&Key-Pair-Id=K)", "(Expires=***"),
        ("sv=2020&se=2026&sr=b&sig=a%2Bb%3D", "sv=2020&se=***"),
        ("AWSAccessKeyId=AKIA", "AWSAccessKeyId=***"),
        ("<AWSAccessKeyId>AKIAABCDEFGHIJKL</AWSAccessKeyId>", "<AWSAccessKeyId>***</AWSAccessKeyId>"),
        ("https%3A%2F%2Fh%2Fp%3Fsig%3Dabcd end", "https%3A%2F%2Fh%2Fp%3F*** end"),
        ('{"url":"https:\\/\\/h\\/p?X=1\\u0026sig=a"}', '{"url":"https:\\/\\/h\\/p?***"}'),
        ("a href=&quot;https://h/p?a=1&amp;sig=b&quot;", "a href=&quot;https://h/p?***"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ('{"token": "abc123def"}', '{"token": "***"}'),
        ("'x-api-key': 'abc123def'", "'x-api-key': '***'"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.Et9HFtf9R3GEMA0IICOfFMVXY7kkTX1wr4qCyhIf58U", "Bearer ***"),
        ("at eyJhbGciOiJIUzI1NiJ9.e30.Et9HFtf9R3G there", "at *** there"),
        ("token: expired", "token: expired"),
        ("Bearer authentication is required", "Bearer authentication is required"),
        ("size=720x1280 is not one of 1280x720", "size=720x1280 is not one of 1280x720"),
        ("write to help@example.com at 12:30", "write to help@example.com at 12:30"),
    ],
)
def test_signed_addresses_and_tokens_are_hidden_wherever_they_stand(words, said):
    assert redact(words) == said


def test_words_are_one_short_line():
    assert redact("a\nb\r\n\tc\x1b[31m\u202ed\ud800") == "a b c[31md?"
    assert redact("x" * (LONGEST + 1)) == "x" * LONGEST
    assert redact("abcdef", longest=3) == "abc"
    assert redact("") == ""


def test_a_secret_across_the_cut_is_hidden():
    words = "x" * (LONGEST - 5) + KEY
    assert redact(words, [KEY]) == "x" * (LONGEST - 5) + "***"


def test_a_text_keeps_its_lines_and_its_length():
    text = "A boat\n\ton a lake\n" * 100
    assert Redactor([KEY]).redact_text(text) == text
    assert Redactor([KEY]).redact_text(f"{text}{KEY}") == f"{text}***"


def test_addresses_can_be_hidden_whole():
    assert without_addresses("see https://h/p?*** and //cdn/x, ftp://h:21 or https:\\/\\/h") == (
        "see *** and *** *** or ***"
    )
    assert without_addresses("16/9 at h") == "16/9 at h"


def test_an_id_that_repeats_a_secret_is_told_from_one_that_does_not():
    redactor = Redactor([KEY, "acme-video-team-prod"], keys=[KEY])
    for strange in (base64_behind(KEY), f"v_{quote(KEY)}", "v\n1", "https://h/v?sig=1", "v" * 1025):
        assert redactor.redact_id(strange) != strange
    source = "video_68d7512d07848190b3e45da0ecbebcde004da08e1e0678d5"
    prompted = redactor.also(f"Go on with {source}", "A boat")
    for usual in (
        source,
        "acme-video-team-prod:7",
        "v" * 1024,
        "東京 %2F&amp;",
        base64_behind("model:x;id:y") * 6,
    ):
        assert prompted.redact_id(usual) == usual
    assert prompted.redact_id("v:a boat") == "v:***"


def test_further_secrets_are_hidden_beside_the_first():
    redactor = Redactor([KEY])
    assert redactor.also(None) is redactor
    assert redactor.also("A boat on a lake").redact(f"{KEY}, A boat on a lake") == "***, ***"
    assert redactor.redact("A boat on a lake") == "A boat on a lake"


ENDLESS = {
    "letters": "a",
    "addresses": "http://",
    "percent": "%41",
    "broken percent": "%c",
    "backslashes": "\\",
    "escapes": "\\u0041",
    "nested escapes": "\\\\\\u0041",
    "entities": "&amp;",
    "queries": "?=",
    "users": "a:@",
    "spaces": " ",
    "names": "token",
    "named": 'token = "',
    "tokens": "eyJabcdefgh.",
    "signed": "x-amz-",
    "accents": "é",
    "plus": "+",
    "schemes": "a+.-",
}


@pytest.mark.parametrize("unit", ENDLESS)
def test_the_time_for_endless_words_is_bounded(unit):
    words = ENDLESS[unit] * (65536 // len(ENDLESS[unit]))
    prompt = words[:32000] + PROMPT
    began = time.process_time()
    redact(words, [KEY, prompt])
    without_addresses(words)
    assert time.process_time() - began < 0.5


def test_random_words_lose_nothing_but_what_is_secret():
    draw = random.Random(7)
    for _ in range(300):
        words = "".join(draw.choices(string.ascii_letters + " ,.", k=draw.randrange(200)))
        at = draw.randrange(len(words) + 1)
        form = draw.choice([FORMS[name] for name in ("raw", "percent", "JSON", "HTML", "\\u")])
        assert redact(f"{words[:at]} {form(KEY)} {words[at:]}", [KEY]) == f"{words[:at]} *** {words[at:]}"
