"""The authority: documents read with expat, a call per element.

What expat refuses is refused, with a reason; the scanner in ``kernels`` only
takes what would be taken here, and takes the same from it.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat
from xml.parsers.expat import errors

from polytene.exceptions import BadInput
from polytene.metadata.parser.events import Recorder
from polytene.metadata.parser.machine import ANY_KIND, DEAD, NO_ROOT, OUTSIDE, machine
from polytene.metadata.parser.schema import KINDS

DEEPEST = 500
BLANK = b" \t\r\n"
_SPACE = frozenset(b" \t\r\n")
_ENDS = frozenset(b";<>")
_REASONS = {
    "XML_ERROR_TAG_MISMATCH": "mismatched_tag",
    "XML_ERROR_NO_ELEMENTS": "truncated",
    "XML_ERROR_UNCLOSED_TOKEN": "truncated",
    "XML_ERROR_UNCLOSED_CDATA_SECTION": "truncated",
    "XML_ERROR_JUNK_AFTER_DOC_ELEMENT": "junk_after_root",
    "XML_ERROR_UNDEFINED_ENTITY": "bad_entity",
    "XML_ERROR_BAD_CHAR_REF": "bad_entity",
    "XML_ERROR_UNKNOWN_ENCODING": "bad_encoding",
    "XML_ERROR_INCORRECT_ENCODING": "bad_encoding",
}
_CODES = {errors.codes[getattr(errors, name)]: reason for name, reason in _REASONS.items()}
_PARTIAL = errors.codes[errors.XML_ERROR_PARTIAL_CHAR]
_TOKEN = errors.codes[errors.XML_ERROR_INVALID_TOKEN]


def read(data: bytes, name: str, kind: int, document: int, into: Recorder) -> None:
    """Read a document; its values go to ``into``, all of them or none.

    Parameters
    ----------
    data
        The whole document, in any encoding that it declares and expat knows.
    name
        How errors name it.
    kind
        Number of the kind that its name promises; -1 where any will do.
    document
        Its number, for its records.

    Raises
    ------
    BadInput
        With one of :data:`polytene.metadata.parser.schema.REASONS`.
    """
    size = into.size
    try:
        _Reader(data, name, kind, document, into).read()
    except BaseException:
        into.cut(size)
        raise


def salvage(data: bytes, name: str, kind: int, document: int, into: Recorder) -> int:
    """Keep the records that are complete before the break of a damaged document; return how many.

    A document that is not one of the SRA, or has a DOCTYPE, gives none.
    """
    size = into.size
    reader = _Reader(data, name, kind, document, into)
    try:
        reader.read()
    except BadInput as error:
        if error.reason in ("dtd_forbidden", "wrong_root", "wrong_kind", "empty"):
            into.cut(size)
            return 0
        into.cut(reader.whole)
    return into.size[1] - size[1]


class _Reader:
    def __init__(self, data: bytes, name: str, kind: int, document: int, into: Recorder) -> None:
        self.data, self.name, self.kind, self.document = data, name, kind, document
        self.into = into
        self.whole = into.size
        self.states = [OUTSIDE]
        self.text: list[str] = []
        self.text_field = -1
        self.text_depth = self.record_depth = 0
        self.closed = False
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.ordered_attributes = True
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype
        found = machine()
        self.names, self.attributes, self.tables = found.names, found.attributes, found.tables

    def read(self) -> None:
        """Walk through the document."""
        if not self.data.removeprefix(b"\xef\xbb\xbf").strip(BLANK):
            self.fail("empty", f"{len(self.data)} bytes and no element")
        try:
            self.parser.Parse(self.data, True)
        except expat.ExpatError as error:
            place = f"line {error.lineno}, column {error.offset + 1}"
            self.fail(self.reason(error.code), f"{place}: {expat.ErrorString(error.code)}")
        except BadInput:
            raise
        except (LookupError, ValueError) as error:
            self.fail("bad_encoding", f"line 1: {error}")
        finally:
            del self.parser  # it and its handlers hold each other

    def reason(self, code: int) -> str:
        """Say what an error of expat means, from its code and the byte where it stands."""
        if self.closed:
            return "junk_after_root"
        if code in _CODES:
            return _CODES[code]
        at = self.parser.ErrorByteIndex
        if code == _PARTIAL:
            return "truncated" if at + 4 > len(self.data) else "bad_encoding"
        if code != _TOKEN:
            return "not_xml"
        return _bad_token(self.data[max(0, at - 12) : at], self.data[at : at + 4096])

    def fail(self, reason: str, detail: str) -> NoReturn:
        """Refuse the document."""
        raise BadInput(reason, f"{self.name}: {detail}")

    def doctype(self, *_: object) -> None:
        """Refuse document types, and with them all entities of one's own."""
        self.fail("dtd_forbidden", "a DOCTYPE, which no SRA document has; it could hold entities")

    def start(self, name: str, attributes: list[str]) -> None:
        """Take what an element's begin says."""
        local = name.rpartition("}")[2]
        if len(self.states) == 1:
            self.check_root(local)
        if len(self.states) > DEEPEST:
            self.fail("too_deep", f"elements in elements, more than {DEEPEST} deep")
        state = self.states[-1]
        if state != DEAD:
            state = int(self.tables.step[state, self.names.get(local, 0)])
        self.states.append(state)
        if state <= OUTSIDE or self.text_field >= 0:
            return
        if self.tables.starts[state] >= 0:
            self.into.begin(int(self.tables.starts[state]), self.document)
            self.record_depth = len(self.states)
        if (field := int(self.tables.name[state])) >= 0:
            self.into.add(field, local)
        if self.tables.has_attributes[state]:
            for key, value in zip(attributes[::2], attributes[1::2], strict=True):
                number = self.attributes.get(key, 0)
                if (field := int(self.tables.attribute[state, number])) >= 0:
                    self.into.add(field, value)
        self.text_field = int(self.tables.text[state])
        self.text_depth = len(self.states)

    def check_root(self, name: str) -> None:
        """Refuse what is no document of the SRA, or not the one that its file name says."""
        kind = int(self.tables.root[self.names.get(name, 0)])
        if kind == NO_ROOT:
            self.fail("wrong_root", f"the root element is {name!r}, not one of the SRA")
        if self.kind not in (ANY_KIND, kind) and kind != ANY_KIND:
            promised = KINDS[self.kind]
            self.fail("wrong_kind", f"the root element is {name!r}, the name says {promised}")

    def characters(self, text: str) -> None:
        """Take text of the field that is open."""
        if self.text_field >= 0:
            self.text.append(text)

    def end(self, name: str) -> None:
        """Finish an element."""
        if self.text_field >= 0 and len(self.states) == self.text_depth:
            self.into.add(self.text_field, "".join(self.text))
            self.text_field = -1
            self.text.clear()
        if len(self.states) == self.record_depth:
            self.record_depth = 0
            self.whole = self.into.size
        self.states.pop()
        self.closed = len(self.states) == 1


def _bad_token(before: bytes, rest: bytes) -> str:
    """Say why no token can go on with ``rest``."""
    end = next((i for i, b in enumerate(rest[1:], 1) if b in b"<>&"), len(rest))
    token = rest[:end] or rest[:1]
    if any(b < 32 and b not in _SPACE for b in token[:1]):
        return "control_char"
    if rest[:1] == b"&" or (b"&" in before and not _ENDS & {*before[before.rfind(b"&") :]}):
        return "bad_entity"
    if any(b < 32 and b not in _SPACE for b in token):
        return "control_char"
    return "bad_encoding" if any(b >= 128 for b in token) else "not_xml"
