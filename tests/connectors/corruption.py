"""How a recorded answer can go wrong on its way, and what it then says: for a test that knows no connector.

The oracle is `statements`: what an answer plainly says, read with the standard library alone. A corrupted
answer that says something else in the words of the protocol, every part of it in its place, is an answer of
its own: no reader can tell, and no test can ask it to. What protects from that is TLS. All other corruption
has to end in less than the intact answer said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import strategies as st

Statements = frozenset[tuple[Any, ...]]


class Pairs(list[tuple[str, Any]]):
    """A JSON object as it is written: names may stand twice."""


# --- Bytes

_FEW_BYTES = st.binary(max_size=12) | st.text('{}[]:,"0123456789 \r\n', max_size=12).map(str.encode)


@st.composite
def damaged_bytes(draw: st.DrawFn, intact: bytes) -> bytes:
    """The bytes of an answer, changed, lost, added, repeated or cut off in one or two places."""
    answer = intact
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(answer)))
        until = draw(st.integers(at, min(len(answer), at + 60)))
        piece = answer[at:until]
        match draw(st.sampled_from(["change", "lose", "add", "repeat", "cut off"])):
            case "change":
                other = draw(st.binary(min_size=1, max_size=3))
                answer = answer[:at] + other + answer[at + len(other) :]
            case "lose":
                answer = answer[:at] + answer[until:]
            case "add":
                answer = answer[:at] + draw(_FEW_BYTES) + answer[at:]
            case "repeat":
                answer = answer[:until] + piece + answer[until:]
            case _:
                answer = answer[:at]
    return answer


def with_body(answer: bytes, body: bytes) -> bytes:
    """The same answer with another body, announced in its right length."""
    head = answer.partition(b"\r\n\r\n")[0]
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*kept, b"content-length: %d" % len(body), b"", body])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


# --- JSON

_OTHER_TYPES = st.sampled_from([None, True, False, 0, 1, 100, 1.5, "", "x", [], Pairs()])
# With which a name may be told a second time: two values, and neither can be believed.
_SECOND_VALUES = _OTHER_TYPES | st.sampled_from(
    [
        "Sesuai",
        "Tidak Sesuai",
        "Sesuai (100)",
        "0",
        "1",
        "13",
        "200",
        "201",
        "AKTIF",
        "35.78.01.1009",
        "2026-02-02",
    ]
)


# The names on which most depends; every second damage is done to one of them.
_COUNTS = frozenset(
    {"NIK", "RESPON", "RESPONSE_CODE", "NAMA_LGKP", "TGL_LHR", "NAMA_LGKP_IBU", "content", "code", "message"}
    | {
        "response",
        "peserta",
        "nik",
        "kode",
        "keterangan",
        "statusPeserta",
        "jenisPeserta",
        "starts_on",
        "ends_on",
    }
    | {
        "items",
        "more",
        "next_cursor",
        "KDEPUM",
        "WADMKD",
        "geometry",
        "coordinates",
        "features",
        "properties",
    }
)


def as_written(text: bytes | str) -> Any:
    return json.loads(text, object_pairs_hook=Pairs)


def written(node: Any) -> str:
    """JSON text; the opposite of `as_written`."""
    if isinstance(node, Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{written(value)}" for name, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(written(value) for value in node) + "]"
    return json.dumps(node)


def _places(node: Any) -> Iterator[tuple[list[Any], int]]:
    """Every value of a document but its root: the list in which it stands, and where."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield node, number
            yield from _places(item[1] if isinstance(node, Pairs) else item)


@st.composite
def damaged_json(draw: st.DrawFn, intact: str) -> str:
    """A JSON text whose structure is not what it was, in one or two places.

    Values are lost, made null or of another type, wrapped, told twice (with any second value), told under
    another name. No value is replaced by another that could stand in its place.
    """
    document = deepcopy(as_written(intact))
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(document))
        if not places or draw(st.integers(0, 19)) == 0:
            document = draw(
                st.sampled_from([[document], Pairs([("content", document)]), [document, document]])
            )
            continue
        counting = _counting(document)
        parent, number = draw(st.sampled_from(counting if counting and draw(st.booleans()) else places))
        _damage(draw, parent, number)
    return written(document)


def told_twice(intact: str, second: str) -> Iterator[str]:
    """The JSON text, each time with another of the names that count told again, in small letters too."""
    for number in range(len(_counting(as_written(intact)))):
        for spelled in (str, str.lower):
            document = as_written(intact)
            parent, at = _counting(document)[number]
            parent.insert(at + 1, (spelled(parent[at][0]), second))
            yield written(document)


def _counting(document: Any) -> list[tuple[list[Any], int]]:
    return [
        (parent, at)
        for parent, at in _places(document)
        if isinstance(parent, Pairs) and parent[at][0] in _COUNTS
    ]


def _damage(draw: st.DrawFn, parent: list[Any], number: int) -> None:
    named = isinstance(parent, Pairs)
    name, value = parent[number] if named else ("", parent[number])

    def put(changed: Any, under: str = name) -> None:
        parent[number] = (under, changed) if named else changed

    match draw(st.sampled_from(["lose", "retype", "wrap", "repeat", *(["rename"] if named else [])])):
        case "lose":
            del parent[number]
        case "retype":
            put(draw(_OTHER_TYPES.filter(lambda other: type(other) is not type(value))))
        case "wrap":
            put(draw(st.sampled_from([[value], [value, value], Pairs([("value", value)])])))
        case "repeat":
            second = draw(_SECOND_VALUES) if named else deepcopy(value)
            parent.insert(number + 1, (name, second) if named else second)
        case _:
            put(value, draw(st.sampled_from([f"{name}_", name[:-1], name[::-1]])))


# --- XML


@st.composite
def damaged_xml(draw: st.DrawFn, intact: str) -> str:
    """An XML text in which elements are lost, emptied, wrapped, renamed, or told twice and differently."""
    root = ET.fromstring(intact)  # noqa: S314 - our own recording
    for _ in range(draw(st.integers(1, 2))):
        parents = [element for element in root.iter() if len(element)]
        if not parents:
            break
        places = [(parent, at) for parent in parents for at in range(len(parent))]
        counting = [(parent, at) for parent, at in places if parent[at].tag.rpartition("}")[2] in _COUNTS]
        parent, number = draw(st.sampled_from(counting if counting and draw(st.booleans()) else places))
        element = parent[number]
        match draw(st.sampled_from(["lose", "empty", "wrap", "rename", "repeat"])):
            case "lose":
                parent.remove(element)
            case "empty":
                element.text = None
            case "wrap":
                wrapper = ET.Element(element.tag)
                wrapper.append(element)
                parent[number] = wrapper
            case "rename":
                element.tag += "_"
            case _:
                twin = deepcopy(element)
                if twin.text and draw(st.booleans()):
                    twin.text = draw(st.sampled_from(["35.78.01.1009", "0 0", "x"]))
                parent.insert(number + 1, twin)
    return ET.tostring(root, encoding="unicode")


# --- What an answer says


def _repeats(node: Any) -> bool:
    """Whether any object tells a name twice, in whatever case."""
    if isinstance(node, Pairs):
        names = [name.upper() for name, _ in node]
        return len(set(names)) < len(names) or any(_repeats(value) for _, value in node)
    return isinstance(node, list) and any(_repeats(value) for value in node)


def _plain(body: bytes) -> Any:
    """A JSON document without any name told twice, or None."""
    try:
        return None if _repeats(as_written(body)) else json.loads(body)
    except (ValueError, RecursionError):
        return None


def nothing(_body: bytes) -> Statements:
    """For answers in which nothing can be changed into another answer: a word counts beside its code only."""
    return frozenset()


# The elements of a full record that are compared, so that any text in their place is a statement.
_COMPARED = {"NIK", "NO_KK", "NAMA_LGKP", "TMPT_LHR", "TGL_LHR", "JENIS_KLMIN", "NAMA_LGKP_IBU", "ALAMAT"}


def of_record(body: bytes) -> Statements:
    """Each element of a population record."""
    page = _plain(body)
    try:
        record = next(value for name, value in page.items() if name.upper() == "CONTENT")[0]
        said = {name.upper(): value for name, value in record.items()}
    except (AttributeError, TypeError, LookupError, StopIteration):
        return frozenset()
    return frozenset((name, said[name]) for name in _COMPARED & said.keys() if isinstance(said[name], str))


def of_list(body: bytes) -> Statements:
    """Each whole row of a programme's list."""
    page = _plain(body)
    items = page.get("items") if isinstance(page, dict) else None
    rows = [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []
    told = [(row.get("nik"), row.get("starts_on"), row.get("ends_on"), row.get("segment")) for row in rows]
    whole = [row for row in told if all(value is None or isinstance(value, str) for value in row)]
    as_of = page.get("as_of") if isinstance(page, dict) else None
    return frozenset((as_of, *row) for row in whole) if isinstance(as_of, str) else frozenset()


def of_features(body: bytes) -> Statements:
    """Code, name and border of each feature that has all of them."""
    page = _plain(body)
    features = page.get("features") if isinstance(page, dict) else None
    said = set()
    for feature in features if isinstance(features, list) else []:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if isinstance(properties, dict):
            geometry = json.dumps(feature.get("geometry"))
            said.add((str(properties.get("KDEPUM")), str(properties.get("WADMKD")), geometry))
    return frozenset(said)


def of_members(body: bytes) -> Statements:
    """Code, name and border of each member of a WFS collection that tells each of them once."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - our own recording
    except ET.ParseError:
        return frozenset()
    said = set()
    for member in root.iterfind("{http://www.opengis.net/wfs/2.0}member"):
        texts = [
            [one.text or "" for one in member.iter() if re.fullmatch(rf"(\{{.*\}})?{name}", one.tag)]
            for name in ("KDEPUM", "WADMKD", "posList")
        ]
        if all(len(told) == 1 for told in texts):
            said.add(tuple(told[0].strip() for told in texts))
    return frozenset(said)


Says = Callable[[bytes], Statements]
