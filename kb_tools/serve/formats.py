"""Which format a reader wants: by `?format=`, else by the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kb_tools.errors import KbError, did_you_mean

# Each format with the media types that ask for it; the first is the one that is sent.
MEDIA_TYPES = {
    "html": ("text/html", "application/xhtml+xml"),
    "json": ("application/json",),
    "turtle": ("text/turtle", "application/x-turtle"),
    "jsonld": ("application/ld+json",),
    "markdown": ("text/markdown",),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
}
ENDINGS = {"html": "html", "json": "json", "turtle": "ttl", "jsonld": "jsonld", "markdown": "md", "xlsx": "xlsx"}


def asked_for(
    parameter: str | None,
    accept: str,
    offered: Collection[str],
    media_types: Mapping[str, tuple[str, ...]] = MEDIA_TYPES,
) -> str | None:
    """The format that is asked for, or None where the reader takes none of those offered.

    Args:
        parameter: the value of `?format=`, if there is one.
        accept: the Accept header; "" for none.
        media_types: those of each format, the first that which is sent.

    Raises:
        KbError: the parameter is no format of this page.
    """
    if parameter is not None:
        if parameter not in offered:
            hint = did_you_mean(parameter, offered) or f"known: {', '.join(offered)}"
            raise KbError(f"this page has no format {parameter!a}", hint=hint)
        return parameter
    ranges = [_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    best: tuple[float, str] | None = None
    for format_ in offered:
        sent, *others = media_types[format_]
        named = [quality for range_, quality in ranges if range_ in others]
        quality = max([_quality(sent, ranges), *named])
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, format_)
    return best[1] if best else None


def _range(part: str) -> tuple[str, float]:
    media_type, *parameters = (piece.strip() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return media_type.lower(), quality


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """That of the most specific range that fits."""
    for wanted in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        found = [quality for range_, quality in ranges if range_ == wanted]
        if found:
            return max(found)
    return 0.0
