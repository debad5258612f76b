"""Secrets are found in every common spelling, and nothing else is changed."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from retoma.model.call import Came
from retoma.model.mask import Mask

SECRETS = [
    "hunter2", "s3cr/et+x=", 'pa"ss\\word', "p%2Fq%25r", "ção-sénha", "x\ty\nz12345", "a b&c<d>e'f", "k\\\\\\n\\u0041",
    "🔑key🔑", "AKIA/abc+def==", "null-ish", "....", "++++", "\\\\\\\\",
]  # fmt: skip


def lower(text: str) -> str:
    return "".join(
        f"%{part[:2].lower()}{part[2:]}" if at else part for at, part in enumerate(text.split("%"))
    )


ENCODED = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON twice": lambda text: json.dumps(json.dumps(text))[3:-3],
    "quote": quote,
    "quote, nothing safe": lambda text: quote(text, safe=""),
    "quote_plus": quote_plus,
    "quote, lower case": lambda text: lower(quote(text, safe="")),
    "quote_plus, lower case": lambda text: lower(quote_plus(text)),
    "every byte quoted": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "HTML": html.escape,
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex().upper(),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
}


@pytest.mark.parametrize("how", ENCODED)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_in_each_spelling(secret, how):
    said = ENCODED[how](secret)
    assert Mask([secret]).text(f"401 for Bearer {said}: refused") == "401 for Bearer [secret]: refused"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("before", ["", "u", "us", "usr", "user:"])
@pytest.mark.parametrize("after", ["", ":", "@b", "@b.", "@b.example"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_in_base64_wherever_it_stands(secret, encode, pad, before, after):
    said = encode((before + secret + after).encode()).decode()
    masked = Mask([secret]).text(f"Basic {said if pad else said.rstrip('=')} no")
    left = masked.removeprefix("Basic ").removesuffix(" no")
    assert masked.startswith("Basic ") and masked.endswith(" no")
    assert left.count("[secret]") == 1
    kept = left.replace("[secret]", "").rstrip("=")
    assert len(kept) <= (len(before) + len(after)) * 4 // 3 + 1


def test_base64_that_is_wrapped_is_masked():
    secret = "a-rather-long-key-" * 6
    wrapped = base64.encodebytes(f"user:{secret}".encode()).decode()
    assert wrapped.count("\n") > 1
    masked = Mask([secret]).text(wrapped)
    assert masked.count("[secret]") == 1 and len(masked) < 24


def test_unicode_in_another_composition_and_in_another_encoding_is_masked():
    secret = "sénha-1"
    assert Mask([secret]).text("se\u0301nha-1") == "[secret]"
    assert Mask([secret]).text(secret.encode("latin-1").decode(errors="replace")) == "[secret]"


def test_blanks_around_it_do_not_matter_and_a_long_line_is_masked_by_itself():
    assert Mask(["hunter2 "]).text("<hunter2>") == "<[secret]>"
    key = "-----BEGIN KEY-----\nabcdefgh12345678\nEND\n"
    assert Mask([key]).text("at abcdefgh12345678 END") == "at [secret] END"


def test_a_short_secret_is_masked_as_a_word_alone():
    assert Mask(["42"]).text("42, 142 and 4242: (42)") == "[secret], 142 and 4242: ([secret])"
    assert Mask(["42"]).value({"n": 42, "all": [420, "x42"]}) == {"n": "[secret]", "all": [420, "x42"]}
    assert Mask(["7"]).text("NDI= 37 0x07") == "NDI= 37 0x07"


def test_texts_keys_and_numbers_of_a_result_are_masked():
    mask = Mask(["4711"])
    assert mask.value({"pin 4711": [4711, 0.4711, True, None, {"a": "x4711"}]}) == {
        "pin [secret]": ["[secret]", "[secret]", True, None, {"a": "x[secret]"}]
    }


def test_a_secret_that_stands_across_values_is_masked():
    assert "1,2,3,4" not in str(Mask(["1,2,3,4"]).value([1, 2, 3, 4]))


def test_the_mark_never_holds_the_secret():
    assert Mask(["secret"]).text("a secret") == "a ***"
    assert Mask(["secret", "***"]).text("a secret ***") == "a  "


def test_a_mask_without_secrets_changes_nothing():
    for mask in (Mask(), Mask([""]), Mask(["  "])):
        assert mask.text("a  b") == "a  b"
        assert mask.value({"a": [1]}) == {"a": [1]}
        assert mask.came(Came(outcome="failed", text="x")) == Came(outcome="failed", text="x")
        assert mask.piece("x", head=True, tail=True) == "x"


@pytest.mark.parametrize("secret", ["hunter2-long", "p/q+r=s"])
def test_what_is_left_of_a_secret_where_a_text_was_cut_is_masked(secret):
    mask = Mask([secret])
    for said in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")):
        for at in range(3, len(said) - 2):
            assert mask.piece(f"{said[at:]} end", head=True, tail=False) == "[secret] end"
            assert mask.piece(f"begin {said[:at]}", head=False, tail=True) == "begin [secret]"
    assert mask.piece("nothing", head=True, tail=True) == "nothing"


def test_the_longest_of_secrets_is_masked_first():
    assert Mask(["abcd", "abcdefgh"]).text("abcdefgh abcd") == "[secret] [secret]"
    assert Mask(["abcd"]).also(["efgh"]).text("abcdefgh") == "[secret][secret]"


def test_a_long_secret_is_masked_wrapped_or_not():
    lines = ["".join(chr(65 + (row * 7 + at * 11) % 26) for at in range(64)) for row in range(40)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    mask = Mask([key])
    for said in (
        key,
        json.dumps(key),
        quote(key),
        quote_plus(key),
        base64.b64encode(key.encode()).decode(),
        base64.encodebytes(b"u:" + key.encode()).decode(),
        key.replace("\n", "\n    ").strip(),
    ):
        masked = mask.text(f"a {said} z")
        assert masked.count("[secret]") == 1 and len(masked) < 24
    assert mask.text(f"line 3 is {lines[3]}.") == "line 3 is [secret]."
    assert mask.text("a  b " * 1_000) == "a  b " * 1_000


@pytest.mark.parametrize("secret", ["пароль7", "секретныйпароль1", "密码是我的生日加名字1"])
def test_output_that_is_not_utf8_is_masked_at_once(secret: str) -> None:
    mask, unread = Mask([secret]), "\ufffd" * 5_000
    began = time.process_time()
    assert mask.text(unread) == unread
    assert mask.text(f"no {unread}{secret[-1]}") == "no [secret]"
    assert time.process_time() - began < 1
