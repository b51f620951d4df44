"""Health-plan clinical policy as data: load it, check it, and hold patient cases against its criteria."""

__version__ = "0.1.0"
