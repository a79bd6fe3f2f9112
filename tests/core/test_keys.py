"""Keys: any text becomes a safe one, unsafe and repeated ones are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import Plan, Unit, safe_key
from polytene.core.keys import LONGEST, check_key, is_safe, key_hash, repeated
from polytene.exceptions import UsageError

FILE_NAMES = st.binary(max_size=300).map(lambda b: b.decode(errors="surrogateescape"))


@given(st.text().filter(lambda t: "~" not in t))
def test_any_text_becomes_a_safe_key(text):
    check_key(safe_key(text))


@given(FILE_NAMES.filter(lambda t: "~" not in t))
def test_any_file_name_becomes_a_safe_key(text):
    check_key(safe_key(text))


@pytest.mark.parametrize("text", ["a~b", "~", "~user/x", "x.fa~"])
def test_a_tilde_is_encoded(text):
    check_key(safe_key(text))


@given(st.lists(st.text(max_size=30), unique=True, min_size=2))
def test_distinct_texts_have_distinct_keys(texts):
    assert len({safe_key(t) for t in texts}) == len(texts)


@given(st.lists(st.text("ab/%_. é", min_size=190, max_size=260), unique=True, max_size=6))
def test_distinct_long_texts_have_distinct_keys(texts):
    assert len({safe_key(t) for t in texts}) == len(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a/b", "a_b"), ("a/b", "a%2Fb"), ("", "%"), (".a", "%2Ea"), ("a b", "a+b"), ("é", "e")],
)
def test_near_texts_do_not_meet(one, other):
    assert safe_key(one) != safe_key(other)


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._+=@,-]{0,60}", fullmatch=True))
def test_a_safe_text_stays_itself(text):
    assert safe_key(text) == text


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1, 5000])
def test_long_texts_are_cut(length):
    key = safe_key("x" * length)
    assert len(key) <= LONGEST
    assert (key == "x" * length) == (length <= LONGEST)


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../x", "a/b", "a\\b", "-rf", "a b", "a\n", "a\x00", "$(x)", "`x`", "a;b", "'",
     '"', "a|b", "~", "é", "x" * (LONGEST + 1), "a\x1b[2J"],
)  # fmt: skip
def test_unsafe_keys_are_refused(key):
    with pytest.raises(UsageError, match="safe_key"):
        check_key(key)
    with pytest.raises(UsageError, match="not safe"):
        _ = Plan("k", [Unit("fine"), Unit(key)]).fingerprint


def test_safe_keys_are_no_shell_words():
    assert not any(is_safe(c) for c in "/\\$`'\"|&;<>(){}[]*?! \t\n~#^:")


def test_repeated_keys_are_named_in_order():
    assert repeated("abcbdaab") == ["b", "a"]
    with pytest.raises(UsageError, match=r"4 keys of plan 'k' repeat: 'a', 'b', 'c' \.\.\."):
        _ = Plan("k", [Unit(k) for k in "abcdeabcd"], block=3).fingerprint


def test_a_repeated_key_leaves_no_plan_behind(tmp_path):
    with pytest.raises(UsageError, match="repeat"):
        Plan("k", [Unit("a"), Unit("a")]).save(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_the_hash_of_a_key_is_fixed_for_ever():
    assert key_hash("NC_000932.1") == 0xA9AA872464A0EDCD
