"""Where text for people goes: a rich console through which nothing comes that a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from kb_tools import printable


class Screen(Console):
    """A console that replaces controls in every text, and writes its own alone."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable, their texts made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable.text(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Leaves it to the edge of the command what a reader that has left means."""
        raise BrokenPipeError
