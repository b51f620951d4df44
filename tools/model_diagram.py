"""Draws the model: classes and links of the vocabularies as one SVG picture, docs/model.svg.

A box is a class, a row in it a link that its members have. An arrow goes from a row to the class that it leads to, if
only one class has that link; a link that many classes have, or that leads into another vocabulary, is named in each row
and has no arrow. Code lists (kinds of skos:Concept) are named in rows, with the number of their concepts. Subclasses
stand under their class. Which classes have a link is read from the vocabularies, and where these bind it to no class,
from the shapes.

The layout is plain columns: a class stands right of those that lead to it.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from rdflib import RDF, Graph, Literal, URIRef
from rdflib.namespace import OWL, RDFS, SH, SKOS

from kb_tools.model.repository import KnowledgeBase
from kb_tools.rdf.namespaces import POL

ROOT = Path(__file__).parents[1]

# Lengths in pixels.
FONT, ROW, TITLE, PAD, GAP, FAMILY_GAP, LANE, INDENT, MARGIN = 12, 16, 22, 8, 14, 6, 7, 22, 20
WRAP = 34  # characters in a line of plain values
COLOURS = {"pol": ("#1f4e79", "#dbe8f5"), "case": ("#22602f", "#dff0e0"), "clin": ("#7a4a00", "#faecd2")}
OTHER_COLOURS = ("#444444", "#eeeeee")


# ---------------------------------------------------------------------- what is drawn


@dataclass(frozen=True)
class Link:
    """A property of a class, and the class that it leads to where one is known."""

    property: URIRef
    target: URIRef | None


class Model:
    """The classes of the vocabularies, in the order in which their files name them, and what links them."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        files = kb.files("ontology")
        self.ontology: Graph = kb.ontology
        self.shapes = kb.graph(kb.files("shapes"))
        subjects = dict.fromkeys(triple[0] for path in files for triple in kb.triples(path))
        self.order = {term: number for number, term in enumerate(subjects)}

    def sorted(self, terms: Iterable[object]) -> list[URIRef]:
        """IRIs in the order of the files; others, by their text, after them."""
        found = {term for term in terms if isinstance(term, URIRef)}
        return sorted(found, key=lambda term: (self.order.get(term, len(self.order)), str(term)))

    @cached_property
    def classes(self) -> list[URIRef]:
        """The classes that a link leads from or to, and their kinds; no code lists."""
        own = [each for each in self.sorted(self.ontology[: RDF.type : OWL.Class]) if not self.is_code_list(each)]
        ends = [end for each in own for link in self.links(each) for end in (each, link.target)]
        linked: set[object] = {end for end in ends if end in own}
        linked |= {kind for each in own if each in linked for kind in self.ontology.subjects(RDFS.subClassOf, each)}
        return [each for each in own if each in linked]

    def is_code_list(self, class_: URIRef) -> bool:
        return SKOS.Concept in self.ontology.transitive_objects(class_, RDFS.subClassOf)

    def parent(self, class_: URIRef) -> URIRef | None:
        """The class of ours that it is a kind of."""
        return next((each for each in self.sorted(self.ontology[class_ : RDFS.subClassOf]) if each in self.order), None)

    def links(self, class_: URIRef) -> list[Link]:
        """The links that its members have, those of the classes above it left out."""
        found = self.sorted(
            each for each in self.ontology[: RDFS.domain : class_] if self._is(each, OWL.ObjectProperty)
        )
        by_shape = dict(self._shaped(class_))
        found += self.sorted(path for path in by_shape if not self.ontology.value(path, RDFS.domain))
        rows = [Link(each, by_shape.get(each) or self._range(each)) for each in found]
        if class_ == POL.Criterion:
            # A tree of conditions has no class of its own, so its links are bound to none: it hangs on a criterion.
            trees = self.sorted(self.ontology[: RDFS.range : RDF.List])
            rows = [Link(each, POL.Condition) for each in trees] + rows
        return rows

    def _shaped(self, class_: URIRef) -> Iterator[tuple[URIRef, URIRef | None]]:
        """The links that shapes ask of the class, with the class that they must lead to."""
        for shape in self.shapes[: SH.targetClass : class_]:
            for property_ in self.shapes[shape : SH.property]:
                path, target = self.shapes.value(property_, SH.path), self.shapes.value(property_, SH["class"])
                to_iri = self.shapes.value(property_, SH.nodeKind) == SH.IRI
                if isinstance(path, URIRef) and (target or to_iri or self._is(path, OWL.ObjectProperty)):
                    yield path, target if isinstance(target, URIRef) else None

    def values(self, class_: URIRef) -> list[URIRef]:
        """The properties of the class that have plain values."""
        return self.sorted(
            each for each in self.ontology[: RDFS.domain : class_] if self._is(each, OWL.DatatypeProperty)
        )

    def _is(self, term: object, class_: URIRef) -> bool:
        return (term, RDF.type, class_) in self.ontology  # type: ignore[operator]

    def _range(self, property_: URIRef) -> URIRef | None:
        return next(iter(self.sorted(self.ontology[property_ : RDFS.range])), None)

    # ------------------------------------------------------------------ words

    def prefix(self, term: URIRef) -> str:
        return self.kb.curie(str(term)).partition(":")[0]

    def name(self, term: URIRef, vocabulary: str) -> str:
        """Its name as written in the box of a vocabulary, whose own prefix is left out."""
        return self.kb.curie(str(term)).removeprefix(vocabulary + ":")

    def words(self, link: Link, vocabulary: str) -> str:
        """A row: the link, where it leads, and the number of concepts where that is a code list."""
        words = self.name(link.property, vocabulary)
        if link.target is None:
            return words
        of = "list of " if self._range(link.property) == RDF.List else ""
        words += f" \N{RIGHTWARDS ARROW} {of}{self.name(link.target, vocabulary)}"
        if link.target in self.order and self.is_code_list(link.target):
            words += f" ({len(set(self.ontology[: RDF.type : link.target]))})"
        return words


# ---------------------------------------------------------------------- boxes in columns


@dataclass
class Box:
    """A class as it is drawn.

    Attributes:
        foreign: the class belongs to another vocabulary, and stands here for its kinds.
    """

    class_: URIRef
    title: str
    rows: list[tuple[Link, str]]
    values: list[str]
    foreign: bool
    indent: int
    x: int = 0
    y: int = 0
    width: int = 0

    @property
    def height(self) -> int:
        inside = len(self.rows) + len(self.values)
        return TITLE + (inside * ROW + PAD if inside else 0)

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def row_y(self, number: int) -> int:
        return self.y + TITLE + number * ROW + ROW // 2 + PAD // 2

    @property
    def needs(self) -> int:
        texts = [text_width(self.title, bold=True), *(text_width(words) for _, words in self.rows)]
        return round(max([*texts, *map(text_width, self.values)])) + 2 * PAD


def text_width(text: str, bold: bool = False) -> float:
    """How wide a text is at most in the usual sans-serif fonts."""
    narrow, wide = set("iljtfrI.,:()' "), set("mwMW@\N{RIGHTWARDS ARROW}")
    units = sum(0.36 if c in narrow else 0.95 if c in wide else 0.72 if c.isupper() else 0.6 for c in text)
    return units * FONT * (1.06 if bold else 1)


@dataclass
class Family:
    """A class with the kinds of it: boxes that stand under one another."""

    boxes: list[Box]
    column: int = 0

    @property
    def height(self) -> int:
        return sum(box.height for box in self.boxes) + GAP * (len(self.boxes) - 1)


@dataclass
class Arrow:
    """From a row of a box to the title of another, by way of lanes between the columns.

    Attributes:
        start, end: the columns of the two.
        lanes: the x of its lane in each channel that it takes; a channel is right of the column of its number.
        over: the y at which it passes over the columns between, where there are any.
    """

    source: Box
    row: int
    target: Box
    start: int = 0
    end: int = 0
    lanes: dict[int, int] = field(default_factory=dict)
    over: int | None = None

    @property
    def channels(self) -> tuple[int, int]:
        """Where it leaves, and where it arrives."""
        if self.end < self.start:
            return self.start - 1, self.end
        return self.start, max(self.start, self.end - 1)

    @property
    def path(self) -> str:
        """Its way, as SVG path data."""
        begin = self.source.x if self.end < self.start else self.source.right
        goal = self.target.x if self.end > self.start else self.target.right
        first, last = (self.lanes[channel] for channel in self.channels)
        over = f" V {self.over} H {last}" if self.over else ""
        at = self.target.y + TITLE // 2
        return f"M {begin} {self.source.row_y(self.row)} H {first}{over} V {at} H {goal}"


class Panel:
    """The classes of one vocabulary, laid out."""

    def __init__(self, model: Model, vocabulary: str, shared: set[URIRef]) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.families = self._families()
        self.box_of = {box.class_: box for family in self.families for box in family.boxes if not box.foreign}
        self.family_of = {box.class_: family for family in self.families for box in family.boxes if not box.foreign}
        self.arrows = [
            Arrow(box, number, self.box_of[link.target])
            for box in self.box_of.values()
            for number, (link, _) in enumerate(box.rows)
            if link.target in self.box_of and link.target != box.class_ and link.property not in shared
        ]
        self._assign_columns()
        self.columns: list[list[Family]] = [[] for _ in range(1 + max(family.column for family in self.families))]
        for family in self.families:
            self.columns[family.column].append(family)
        self.width = self.height = 0

    def _families(self) -> list[Family]:
        members: dict[URIRef, list[URIRef]] = {}
        for class_ in self.model.classes:
            parent = self.model.parent(class_)
            if self.model.prefix(class_) == self.vocabulary:
                members.setdefault(parent or class_, []).append(class_)
        return [
            Family([self._box(head, 0), *(self._box(each, INDENT) for each in kinds if each != head)])
            for head, kinds in members.items()
        ]

    def _box(self, class_: URIRef, indent: int) -> Box:
        foreign = self.model.prefix(class_) != self.vocabulary
        rows: list[tuple[Link, str]] = []
        values: list[str] = []
        if not foreign:
            rows = [(link, self.model.words(link, self.vocabulary)) for link in self.model.links(class_)]
            values = wrapped([self.model.name(each, self.vocabulary) for each in self.model.values(class_)])
        return Box(class_, self.model.name(class_, self.vocabulary), rows, values, foreign, indent)

    def _assign_columns(self) -> None:
        """Each family right of all that lead to it; a link back to one that led here is passed over."""
        out: dict[int, list[int]] = defaultdict(list)
        number = {id(family): place for place, family in enumerate(self.families)}
        for arrow in self.arrows:
            ends = [number[id(self.family_of[box.class_])] for box in (arrow.source, arrow.target)]
            if ends[0] != ends[1] and ends[1] not in out[ends[0]]:
                out[ends[0]].append(ends[1])
        entered = Counter(target for targets in out.values() for target in targets)
        done: list[int] = []

        def visit(place: int, path: tuple[int, ...]) -> None:
            for target in list(out[place]):
                if target in path:
                    out[place].remove(target)
                elif target not in done:
                    visit(target, (*path, target))
            done.append(place)

        for place in sorted(range(len(self.families)), key=lambda each: entered[each] > 0):
            if place not in done:
                visit(place, (place,))
        for place in reversed(done):
            for target in out[place]:
                self.families[target].column = max(self.families[target].column, self.families[place].column + 1)
        # What no arrow touches fills the last column.
        last = max(family.column for family in self.families)
        for place, family in enumerate(self.families):
            if not out[place] and not entered[place]:
                family.column = last

    # ------------------------------------------------------------------ places

    def place(self, left: int, top: int) -> None:
        """Gives every box and arrow its place, the panel's corner being at (left, top)."""
        self.left, self.top = left, top
        for arrow in self.arrows:
            arrow.start, arrow.end = (self.family_of[box.class_].column for box in (arrow.source, arrow.target))
        far = [arrow for arrow in self.arrows if len(set(arrow.channels)) > 1]
        for number, arrow in enumerate(far):
            arrow.over = top + TITLE + GAP + number * LANE
        body = top + TITLE + GAP + (len(far) * LANE + GAP if far else 0)
        tallest = max(self._column_height(column) for column in self.columns)
        self._order_columns()
        for column in self.columns:
            y = body + (tallest - self._column_height(column)) // 2
            for family in column:
                for box in family.boxes:
                    box.y = y
                    y += box.height + GAP
                y += FAMILY_GAP
        x = left + MARGIN
        for number, column in enumerate(self.columns):
            width = max(box.needs + box.indent for family in column for box in family.boxes)
            for box in (box for family in column for box in family.boxes):
                box.x, box.width = x + box.indent, width - box.indent
            x = self._place_lanes(number, x + width)
        x -= 2 * GAP if not any(len(self.columns) - 1 in arrow.channels for arrow in self.arrows) else 0
        self.width = x + MARGIN - left
        self.height = body + tallest + MARGIN - top

    @staticmethod
    def _column_height(column: list[Family]) -> int:
        return sum(family.height for family in column) + (GAP + FAMILY_GAP) * (len(column) - 1)

    def _order_columns(self) -> None:
        """Families in the order of the rows that lead to them."""
        rank: dict[int, tuple[int, int]] = {}
        for column in self.columns:
            column.sort(key=lambda family: rank.get(id(family), (len(self.families), 0)))
            places = {id(box): place for place, family in enumerate(column) for box in family.boxes}
            for arrow in self.arrows:
                if id(arrow.source) in places:
                    rank.setdefault(id(self.family_of[arrow.target.class_]), (places[id(arrow.source)], arrow.row))

    def _place_lanes(self, channel: int, x: int) -> int:
        """Gives each arrow its lane in a channel that begins at x; returns where the next column begins."""
        arrows = [arrow for arrow in self.arrows if channel in arrow.channels]

        def ends(arrow: Arrow) -> tuple[int, int]:
            y, goal = arrow.source.row_y(arrow.row), arrow.target.y + TITLE // 2
            if arrow.over is None:
                return y, goal
            return (y, arrow.over) if channel == arrow.channels[0] else (arrow.over, goal)

        lanes: list[list[tuple[int, int]]] = []
        # Upward ones from above, downward ones from below: so they do not cross one another.
        up = sorted((each for each in arrows if ends(each)[0] > ends(each)[1]), key=lambda each: ends(each)[0])
        down = sorted((each for each in arrows if ends(each)[0] <= ends(each)[1]), key=lambda each: -ends(each)[0])
        for group in (up, down):
            at = 0
            for arrow in group:
                low, high = sorted(ends(arrow))
                while at < len(lanes) and any(low <= b + LANE and a - LANE <= high for a, b in lanes[at]):
                    at += 1
                if at == len(lanes):
                    lanes.append([])
                lanes[at].append((low, high))
                arrow.lanes[channel] = x + GAP + at * LANE
        return x + 2 * GAP + len(lanes) * LANE


def wrapped(names: Sequence[str]) -> list[str]:
    """Names in lines."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + len(name) + 2 <= WRAP:
            lines[-1] += f", {name}"
        else:
            if lines:
                lines[-1] += ","
            lines.append(name)
    return lines


# ---------------------------------------------------------------------- SVG


def text(x: int, y: int, words: str, class_: str = "") -> str:
    """A line of text that begins at (x, y)."""
    return f'<text x="{x}" y="{y}"{f" class={quoteattr(class_)}" if class_ else ""}>{escape(words)}</text>'


def draw_box(model: Model, box: Box) -> Iterator[str]:
    """A box, its meaning shown where a reader points at it."""
    dark, pale = COLOURS.get(model.prefix(box.class_), OTHER_COLOURS)
    dashes = ' stroke-dasharray="4 3"' if box.foreign else ""
    yield f"<g data-class={quoteattr(model.kb.curie(str(box.class_)))}>"
    meaning = model.ontology.value(box.class_, SKOS.definition)
    if isinstance(meaning, Literal):
        yield f"<title>{escape(str(meaning))}</title>"
    place = f'x="{box.x}" y="{box.y}" width="{box.width}"'
    yield f'<rect {place} height="{box.height}" rx="3" fill="#ffffff" stroke="{dark}"{dashes}/>'
    yield f'<rect {place} height="{TITLE}" rx="3" fill="{pale}" stroke="{dark}"{dashes}/>'
    yield text(box.x + PAD, box.y + TITLE - 7, box.title, "class")
    for number, (_, words) in enumerate(box.rows):
        yield text(box.x + PAD, box.row_y(number) + 4, words)
    for number, line in enumerate(box.values, len(box.rows)):
        yield text(box.x + PAD, box.row_y(number) + 4, line, "value")
    yield "</g>"


def draw_kinds(family: Family) -> Iterator[str]:
    """A line from the kinds up to their class, with the open arrow head of a subclass."""
    head, *kinds = family.boxes
    if kinds:
        # Under the arrows that lead to the kinds.
        x, under = head.x + INDENT // 2, TITLE - 5
        yield f'<path class="kinds" d="M {x} {kinds[-1].y + under} V {head.bottom + 8}"/>'
        yield f'<path class="head" d="M {x} {head.bottom} l -5 8 h 10 z"/>'
        for kind in kinds:
            yield f'<path class="kinds" d="M {x} {kind.y + under} H {kind.x}"/>'


def draw_panel(panel: Panel) -> Iterator[str]:
    """A frame with the name of the vocabulary, arrows and boxes."""
    model = panel.model
    dark, _ = COLOURS.get(panel.vocabulary, OTHER_COLOURS)
    place = f'x="{panel.left}" y="{panel.top}" width="{panel.width}" height="{panel.height}"'
    yield f'<rect class="panel" {place} rx="6" stroke="{dark}"/>'
    namespace = model.kb.prefixes[panel.vocabulary]
    label = model.ontology.value(URIRef(namespace.rstrip("#/")), RDFS.label) or ""
    yield text(panel.left + MARGIN, panel.top + TITLE, f"{panel.vocabulary}: {label}", "panel-title")
    for arrow in panel.arrows:
        words = arrow.source.rows[arrow.row][1]
        yield f'<path class="link" stroke="{dark}" marker-end="url(#tip)" d="{arrow.path}">'
        yield f"<title>{escape(f'{arrow.source.title}: {words}')}</title></path>"
    for family in panel.families:
        yield from draw_kinds(family)
        for box in family.boxes:
            yield from draw_box(model, box)


LEGEND = (
    "Box: a class; under it, indented, its kinds. Row: a link that members of the class have, and the class it leads "
    "to; (n): a code list of n concepts. Grey: properties with plain values.",
    "Arrow: a link that only this class has. A link that several classes have, or that leads into another vocabulary, "
    "is named in each row and has no arrow.",
)
STYLE = f"""
text {{ font: {FONT}px Helvetica, Arial, "Liberation Sans", sans-serif; fill: #1a1a1a; }}
.class, .panel-title {{ font-weight: bold; }}
.panel-title {{ font-size: 15px; }}
.value, .legend {{ fill: #5f5f5f; }}
.panel {{ fill: #fcfcfc; stroke-opacity: 0.4; }}
.link, .kinds {{ fill: none; stroke-width: 1.2; }}
.kinds, .head {{ stroke: #5f5f5f; fill: #ffffff; }}
"""


def draw(kb: KnowledgeBase) -> str:
    """The picture, as SVG: the largest vocabulary on top, the others under it."""
    model = Model(kb)
    uses = Counter(link.property for class_ in model.classes for link in model.links(class_))
    shared = {property_ for property_, count in uses.items() if count > 1}
    sizes = Counter(model.prefix(class_) for class_ in model.classes)
    panels = [Panel(model, vocabulary, shared) for vocabulary, _ in sizes.most_common()]
    first, *others = panels
    first.place(MARGIN, MARGIN)
    left, top = MARGIN, first.top + first.height + MARGIN
    for panel in others:
        panel.place(left, top)
        left += panel.width + MARGIN
    width = max(panel.left + panel.width for panel in panels) + MARGIN
    height = max(panel.top + panel.height for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 3 * MARGIN + FONT}" '
        f'width="{width}" height="{height + 3 * MARGIN + FONT}" role="img">',
        "<title>The model of the policy knowledge base: classes and links of its vocabularies</title>",
        "<!-- Generated by tools/model_diagram.py from ontology/ and shapes/: run make docs. -->",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M 0 0 L 8 4 L 0 8 z" fill="#1a1a1a"/></marker></defs>',
        f'<rect width="{width}" height="{height + 3 * MARGIN + FONT}" fill="#ffffff"/>',
    ]
    for panel in panels:
        lines.extend(draw_panel(panel))
    for number, line in enumerate(LEGEND, 1):
        lines.append(text(MARGIN, height + number * MARGIN, line, "legend"))
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    print(draw(KnowledgeBase(Path(sys.argv[1]) if sys.argv[1:] else ROOT)), end="")
