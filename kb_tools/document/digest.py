"""The digest of a unit, which does not change with the copy it was read from."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# --- the digest ---------------------------------------------------------------------------------------------------

_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff]")
_SOFT_HYPHEN = re.compile("\u00ad[ \t]*\n?[ \t]*")
_SPACES = re.compile(r"[^\S\n\f\t]")
_NEWLINE = re.compile("\r\n?|[\v\x85\u2028\u2029]")
_LIGATURES = str.maketrans(
    {c: unicodedata.normalize("NFKC", c) for c in map(chr, range(0xFB00, 0xFB07))} | {"\u2010": "-", "\u2011": "-"}
)
_DECORATION = (
    (re.compile(r"\\([*_\[\]#<>.^-])"), r"\1"),  # an escaped character
    (re.compile(r"<sup>\s*(\d[\d,\s–-]*)</sup>", re.I), r"^{\1}"),
    (re.compile(r"</?(?:sup|sub|b|i|u|em|strong|span|br)\b[^<>]*>", re.I), ""),
    (re.compile(r"<((?:https?://|www\.|mailto:)[^<>]{1,500})>"), r"\1"),
    (re.compile(r"\[([^\[\]]*)\]\((?:#|https?:|mailto:|www\.)[^()]*\)"), r"\1"),
    (re.compile(r"\*\*(?=\S)((?:[^*\n]|\n(?!\n))+?)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])((?:[^*\n]|\n(?!\n))+?)\*(?![\w*])"), r"\1"),
    (re.compile(r"\^?\[\^?([®™©℠])\]|\^\{?([®™©℠])\}?"), r"\1\2"),
)
# A line that is nothing but a link within the document: marked until the line is seen, since the link's text may be a
# heading elsewhere.
NAVIGATION = "\ue000"
_LINK_LINE = re.compile(r"^[ \t]*(?:[-*•]\s+)?\[([^\[\]\n]+)\]\(#[^()\n]*\)[ \t]*$", re.M)

NUMBERS = r"\d{1,3}(?:\s*[,–-]\s*\d{1,3})*"
_RAISED = "[⁰¹²³⁴-⁹]"
_UNIT_OF_MEASURE = r"(?<!\bm)(?<!\bcm)(?<!\bmm)(?<!\bkm)"
_BRACED = re.compile(rf"(?<!\d){_UNIT_OF_MEASURE}\s?\^\{{\s*({NUMBERS})\s*\}}")
_CARET = re.compile(rf"(?<=[^\W\d_]|[.,;:)%”\"’]){_UNIT_OF_MEASURE}\^(\d{{1,3}}(?:[,–-]\d{{1,3}})*)(?!\w)")
_SUPERSCRIPT = re.compile(rf"(?<![\d\s]){_UNIT_OF_MEASURE}({_RAISED}+(?:[,⁻–-]{_RAISED}+)*)(?![^\W\d_]|[⁺⁻⁰¹²³⁴-⁹])")
_BRACKETED = re.compile(rf"(?<=[^\W\d_]|[.,;:)%”\"’])\s?\[({NUMBERS})\](?!\()")
_LAST_WORD = re.compile(r"[^\W\d_]+\Z")
_GLUED = re.compile(
    # a sentence's or clause's end: a word, a closing bracket or a percentage, and punctuation
    r"(?:(?:(?<=[\s(\"“])(?P<word>[^\W\d_][^\W\d_'’/-]*(?:[-'’/][^\W\d_]+)*)|[)\]”\"’]|(?<=\d)%)[.,;!?][)”\"’]?"
    # or a lower-case word
    r"|(?<![^\W\d_-])(?P<lower>[a-z]{4,}))"
    r"(?P<numbers>[1-9]\d{0,2}(?:[,–-][1-9]\d{0,2})*)(?=[\s.,;:!?)\]]|$)(?![.,]\d)"
)
# Words whose number is not a citation even where an extraction lost the space between.
_NUMBERED = re.compile(
    r"(?:grade|stage|type|code|page|dose|day|week|month|year|cycle|line|group|level|version|part|step)s?|class|phase|table"
    r"|figure|section|chapter|appendix|criteri(?:on|a)|item|note|article|number|range|median|mean|interval|iqr|ci",
    re.I,
)
_NUMBERED_WITH_POINT = re.compile(r"figs?|nos?|vol|ver|sec|ch|approx|ca|vs|pp|ed", re.I)
# A recognised citation mark within a text, until the text is cut.
OPEN, CLOSE = "\ue001", "\ue002"
MARK = re.compile(rf"\s?{OPEN}([\d,]*){CLOSE}")

SYMBOLS = re.compile("[®™©℠]")
_TIMES = re.compile(r"(?<=\d)\s*[xX×✕]\s*(?=\d)")
_COMPARISON = str.maketrans({"≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≦": "<=", "≧": ">="})
_POINT = re.compile(r"(?<!\d)\.|\.(?!\d)")


def plain_text(text: str) -> str:
    """The text with one kind of line end, hyphen and space, and without decoration."""
    text = _NEWLINE.sub("\n", text.removeprefix("\ufeff"))
    text = _SPACES.sub(" ", _SOFT_HYPHEN.sub("", _INVISIBLE.sub("", text))).translate(_LIGATURES)
    text = _LINK_LINE.sub(NAVIGATION + r"\1", text)
    for pattern, replacement in _DECORATION:
        text = pattern.sub(replacement, text)
    return text


def _numbers(printed: str) -> list[int]:
    """The numbers of a mark as printed: "1,3-5" is 1, 3, 4, 5."""
    numbers: list[int] = []
    for part in unicodedata.normalize("NFKC", printed).replace("−", "-").replace("–", "-").split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def _mark(printed: str) -> str:
    return f"{OPEN}{','.join(map(str, _numbers(printed)))}{CLOSE}"


def marked_text(text: str, references: int) -> str:
    """The text with every citation mark in one form; digits glued to a word only up to that number of references."""

    def bracketed(match: re.Match[str]) -> str:
        word = _LAST_WORD.search(text[max(0, match.start() - 20) : match.start()])
        return match[0] if word and _NUMBERED.fullmatch(word[0]) else _mark(match[1])

    def glued(match: re.Match[str]) -> str:
        cited = _numbers(match["numbers"])
        # "C.1" is a place in the criteria, "Fig.2" one in a paper, "grade2" a grade.
        if match["word"] and (len(match["word"]) < 2 or _NUMBERED_WITH_POINT.fullmatch(match["word"])):
            return match[0]
        if match["lower"] and _NUMBERED.fullmatch(match["lower"]):
            return match[0]
        if not cited or max(cited) > references:
            return match[0]
        return match[0][: match.start("numbers") - match.start()] + _mark(match["numbers"])

    for pattern in (_BRACED, _CARET, _SUPERSCRIPT):
        text = pattern.sub(lambda match: _mark(match[1]), text)
    text = _BRACKETED.sub(bracketed, text)
    return _GLUED.sub(glued, text) if references else text


def skeleton(text: str) -> str:
    """What of a text without marks and decoration makes its digest."""
    text = unicodedata.normalize("NFKC", SYMBOLS.sub("", text))
    text = unicodedata.normalize("NFKC", text.casefold()).translate(_COMPARISON)
    text = _POINT.sub("", _TIMES.sub("×", text))
    return "".join(c for c in text if c.isalnum() or c in "<>=≠%×.")


def digest(text: str) -> str:
    """The SHA-256 (hex) of a passage, the same for every extraction of it from the same document.

    It covers letters, digits, comparison signs, percent and multiplication signs and the decimal points inside
    numbers, folded to lower case; not spaces, hyphens, quotes, decoration or citation marks. Digits glued to a word
    count as part of it: that they are a mark, only `cut` can know, from the number of references.
    """
    plain = MARK.sub("", marked_text(plain_text(text), 0))
    return hashlib.sha256(skeleton(plain).encode()).hexdigest()
