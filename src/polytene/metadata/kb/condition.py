"""Conditions such as ``nominal_length < 400 AND platform = 'ILLUMINA'``, a part of SQL.

Comparisons, ``AND``, ``OR``, ``NOT``, brackets, ``IS [NOT] NULL``, ``IN (...)``, ``BETWEEN`` and
``LIKE``: what they mean in SQL, without a database.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from polytene.exceptions import UsageError
from polytene.metadata.kb.fields import column_of

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|<>|!=|==|[=<>(),-]))"
)
_WORDS = {"and", "or", "not", "is", "null", "in", "between", "like", "true", "false"}
_COMPARE = {
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def read_condition(text: str, schema: pa.Schema) -> pc.Expression:
    """Return a condition as an expression over a view.

    Raises
    ------
    UsageError
        With the place where it cannot be read.

    Examples
    --------
    >>> schema = pa.schema([("total_bases", pa.int64()), ("platform", pa.string())])
    >>> str(read_condition("total_bases >= 1e9 AND platform = 'ILLUMINA'", schema))
    '((total_bases >= 1000000000) and (platform == "ILLUMINA"))'
    """
    reader = _Reader(text, schema)
    found = reader.either()
    if reader.word() is not None:
        reader.fail("an end, AND or OR")
    return found


class _Reader:
    def __init__(self, text: str, schema: pa.Schema) -> None:
        self.text, self.schema = text, schema
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise UsageError(f"where: {text!r}: cannot read {text[place:].strip()[:20]!r}")
            kind = str(found.lastgroup)
            self.tokens.append((kind, found[kind], found.start(kind)))
            place = found.end()

    def word(self) -> str | None:
        """Return the next token; names and words of SQL in small letters."""
        if self.at >= len(self.tokens):
            return None
        kind, text, _ = self.tokens[self.at]
        return text.lower() if kind == "name" and text.lower() in _WORDS else text

    def take(self, *words: str) -> bool:
        """Take the next token if it is one of ``words``."""
        if self.at < len(self.tokens) and self.word() in words:
            self.at += 1
            return True
        return False

    def fail(self, wanted: str) -> NoReturn:
        """Say where it cannot be read."""
        place = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        found = self.text[place : place + 20] or "the end"
        raise UsageError(f"where: {self.text!r}: expected {wanted} instead of {found!r}")

    def either(self) -> pc.Expression:
        left = self.both()
        while self.take("or"):
            left = left | self.both()
        return left

    def both(self) -> pc.Expression:
        left = self.term()
        while self.take("and"):
            left = left & self.term()
        return left

    def term(self) -> pc.Expression:
        if self.take("not"):
            return ~self.term()
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                self.fail("')'")
            return inner
        return self.comparison()

    def comparison(self) -> pc.Expression:
        name = self.field()
        field, kind = pc.field(name), self.schema.field(name).type
        if self.take("is"):
            negative = self.take("not")
            if not self.take("null"):
                self.fail("NULL")
            return field.is_valid() if negative else field.is_null()
        negative = self.take("not")
        if self.take("in"):
            found = field.isin(pa.array(self.values(kind), kind))
        elif self.take("between"):
            low = self.value(kind)
            if not self.take("and"):
                self.fail("AND")
            found = (field >= low) & (field <= self.value(kind))
        elif self.take("like"):
            found = pc.match_like(field, self.value(kind).as_py())
        elif not negative and self.word() in _COMPARE:
            sign = str(self.word())
            self.at += 1
            return _COMPARE[sign](field, self.value(kind))
        else:
            self.fail("a comparison")
        return ~found if negative else found

    def field(self) -> str:
        kind, text, _ = self.tokens[self.at] if self.at < len(self.tokens) else ("", "", 0)
        name = column_of(text)
        if kind != "name" or text.lower() in _WORDS:
            self.fail("the name of a column")
        if name not in self.schema.names:
            raise UsageError(f"where: no column {text!r}: one of {', '.join(self.schema.names)}")
        self.at += 1
        return name

    def values(self, kind: pa.DataType) -> list[Any]:
        if not self.take("("):
            self.fail("'('")
        out = [self.value(kind).as_py()]
        while self.take(","):
            out.append(self.value(kind).as_py())
        if not self.take(")"):
            self.fail("')'")
        return out

    def value(self, kind: pa.DataType) -> pa.Scalar:
        """Return the next token as a value of a column."""
        negative = self.take("-")
        what, text, _ = self.tokens[self.at] if self.at < len(self.tokens) else ("", "", 0)
        if what not in ("number", "text") or (negative and what == "text"):
            self.fail("a number or a 'text'")
        self.at += 1
        raw: Any = text[1:-1].replace("''", "'")
        if what == "number":
            raw = float(text) * (-1 if negative else 1)
            raw = int(raw) if raw.is_integer() else raw
        try:
            if pa.types.is_string(kind) != (what == "text") and not pa.types.is_timestamp(kind):
                raise TypeError
            return pa.scalar(raw) if isinstance(raw, float) else pa.scalar(raw).cast(kind)
        except (pa.ArrowInvalid, TypeError):
            raise UsageError(f"where: {text} is no value of a column of type {kind}") from None
