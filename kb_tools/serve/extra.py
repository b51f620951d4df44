"""Whether the libraries that serving needs are installed, which are extras."""

from __future__ import annotations

from importlib.util import find_spec

from kb_tools.errors import KbError

NEEDED = {
    "serve": ("jinja2", "openpyxl", "prometheus_client", "starlette", "uvicorn"),
    "mcp": ("mcp", "starlette", "uvicorn"),
}


def require(extra: str = "serve") -> None:
    """Say in one line what of an extra is missing.

    Raises:
        KbError: a library is not installed.
    """
    missing = [name for name in NEEDED[extra] if find_spec(name) is None]
    if missing:
        raise KbError(f"not installed: {', '.join(missing)}", hint=f"pip install 'kb-tools[{extra}]'")
