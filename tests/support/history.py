"""The revisions of the policy of this checkout, for tests that name all of them or those with a document on file."""

from __future__ import annotations

# Oldest first.
REVISIONS = [
    "2015-11",
    "2019-10",
    "2022-10",
    "2023-02",
    "2023-08",
    "2023-10",
    "2023-11",
    "2024-04",
    "2025-02",
    "2026-02",
]
# Those whose criteria are from their own document, newest first.
WITH_DOCUMENT = ("2026-02", "2019-10")
