"""Whether the libraries of the workbench are installed, which are an extra."""

from __future__ import annotations

from importlib.util import find_spec

from kb_tools.errors import KbError

NEEDED = ("jinja2", "openpyxl", "prometheus_client", "starlette", "uvicorn")


def require() -> None:
    """Say in one line what is missing.

    Raises:
        KbError: a library is not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise KbError(f"not installed: {', '.join(missing)}", hint="pip install 'kb-tools[serve]'")
