"""The SHACL engines that are installed here; the tests that need another one are skipped."""

from __future__ import annotations

from importlib.util import find_spec

from kb_tools.rdf.shacl import ENGINES

# The module of each engine, where it is not called as the engine is.
_MODULES = {"pyshifty": "shifty"}
INSTALLED = tuple(engine for engine in ENGINES if find_spec(_MODULES.get(engine, engine)) is not None)
# The fastest of them, for tests that are about something else. For some platforms there is no wheel of shacl.
FAST = "shacl" if "shacl" in INSTALLED else "pyshifty"
