"""Which encoding a text is written in: a mark says it, else UTF-8 if it is valid, else what its bytes look like."""

from __future__ import annotations

import codecs

from ml.text.tables.types import Refused

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Share of ideographs and Chinese punctuation from which on two-byte text is taken for Chinese, and not for accents.
CHINESE = 0.7


def decoded(data: bytes) -> tuple[str, str]:
    """The text and the encoding's name; Refused for what is no text."""
    for mark, name in MARKS:
        if data.startswith(mark):
            return _strictly(data, name), name.removesuffix("-sig")
    if name := _unmarked_utf16(data):
        return _strictly(data, name), "utf-16"
    if b"\0" in data:
        raise Refused("This is a binary file, and no table.")
    for name in ("utf-8", "gb18030", "cp1252"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if name != "gb18030" or _is_chinese(text):
            return text, name
    raise Refused("The text's encoding is not known: save it as UTF-8.")


def _strictly(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        shown = name.upper().removesuffix("-SIG")
        raise Refused("The file says that it is %(encoding)s, and is not.", encoding=shown) from None


def _unmarked_utf16(data: bytes) -> str:
    """UTF-16 without its mark has a zero in every other byte where there is ASCII, such as delimiters."""
    start = data[:4096]
    if len(start) < 4 or len(data) % 2:
        return ""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if odd > len(start) // 20 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > len(start) // 20 and not odd else ""


def _is_chinese(text: str) -> bool:
    foreign = [char for char in text if ord(char) > 0x7F]
    chinese = sum("\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u303f" or char >= "\uff00" for char in foreign)
    return chinese >= CHINESE * len(foreign)
