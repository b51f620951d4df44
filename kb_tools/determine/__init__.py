"""The determination of a case: conditions, criteria, outcome, and what is missing."""
