"""Determines very many cases: each piece of a case is decided once by SHACL, and then known.

A case is made of pieces: its findings, and what its request and coverage state. Whether a piece is well-formed, and
what the shapes of the conditions see in it, is decided by the same readers and shapes as for one case alone, and
remembered. What counts of the findings of a case follows from their dates and from what the vocabulary says of their
classes (`cases.standing`). Which shapes this may be done with is a conformance check (`determine.locality`).
"""
