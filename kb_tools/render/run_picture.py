"""A run over very many cases, as a small picture: bars of how many cases came to what, as SVG.

Of the same counts it is the same bytes. It holds no script, is light or dark as its reader's screen is, and says in its
description all that it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from kb_tools import printable
from kb_tools.determine.result import REVIEW

# In pixels: the width, what is left free at each side, and the height of a bar, of a row and of a heading.
_WIDTH, _MARGIN, _BAR, _ROW, _HEADING = 720, 24, 8, 36, 50
# The longest label, in characters: what fits into a row beside the count.
LONGEST = 64
_STYLE = """
.ground { fill: #ffffff }
.groove { fill: #e4e8ee }
.bar { fill: #2a66a8 }
text { fill: #1b2430; font: 14px system-ui, sans-serif }
.title { font-size: 18px; font-weight: 600 }
.heading { font-weight: 600 }
.small { fill: #4c5868; font-size: 12px }
@media (prefers-color-scheme: dark) {
  .ground { fill: #12161c }
  .groove { fill: #2b333e }
  .bar { fill: #7db7f2 }
  text { fill: #e8edf3 }
  .small { fill: #a9b4c2 }
}
"""


def picture(title: str, cases: int, sections: Mapping[str, Mapping[str, int]], most: int) -> str:
    """The picture, as the text of an SVG file.

    Args:
        title: what it is of.
        cases: how many cases there are; bars are shares of them.
        sections: by heading, how many cases each name has, the highest first.
        most: the most bars under one heading.
    """
    # Names may quote what a case says, and XML takes not every sign.
    shown = {
        heading: {printable.line(name): number for name, number in list(counted.items())[:most]}
        for heading, counted in sections.items()
        if counted
    }
    rows = sum(map(len, shown.values()))
    height = 2 * _MARGIN + 20 + len(shown) * _HEADING + rows * _ROW + 24
    spoken = "; ".join(
        f"{heading}: " + ", ".join(f"{name} {_count(number, cases)}" for name, number in counted.items())
        for heading, counted in shown.items()
    )
    body = "\n".join(_body(title, cases, shown, height))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" \
viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title desc">
<title id="title">{escape(title)}</title>
<desc id="desc">{escape(spoken)}. {escape(REVIEW)}</desc>
<style>{_STYLE}</style>
<rect class="ground" width="{_WIDTH}" height="{height}"/>
{body}
</svg>
"""


def shortened(name: str, most: int) -> str:
    """A name of at most so many characters; a value that stands behind it stays."""
    if len(name) <= most:
        return name
    label, colon, value = name.rpartition(": ")
    if not label or len(value) > most // 2:
        label, colon, value = name, "", ""
    return label[: most - 1 - len(colon + value)] + "…" + colon + value


def _body(title: str, cases: int, shown: Mapping[str, Mapping[str, int]], height: int) -> Iterator[str]:
    across, right = _WIDTH - 2 * _MARGIN, _WIDTH - _MARGIN
    y = _MARGIN + 16
    yield f'<text class="title" x="{_MARGIN}" y="{y}">{escape(title)}</text>'
    y += 4
    for heading, counted in shown.items():
        y += _HEADING
        yield f'<text class="heading" x="{_MARGIN}" y="{y - 14}">{escape(heading)}</text>'
        for name, number in counted.items():
            label = shortened(name, LONGEST)
            length = max(1, round(across * number / cases))
            yield f'<text x="{_MARGIN}" y="{y + 10}">{escape(label)}</text>'
            yield f'<text x="{right}" y="{y + 10}" text-anchor="end">{_count(number, cases)}</text>'
            yield f'<rect class="groove" x="{_MARGIN}" y="{y + 16}" width="{across}" height="{_BAR}" rx="2"/>'
            yield f'<rect class="bar" x="{_MARGIN}" y="{y + 16}" width="{length}" height="{_BAR}" rx="2"/>'
            y += _ROW
    yield f'<text class="small" x="{_MARGIN}" y="{height - _MARGIN}">{escape(REVIEW)}</text>'


def _count(number: int, cases: int) -> str:
    return f"{number:,} ({number / cases:.1%})"
