"""The policy as Python reads it: its history, revisions, criteria, conditions and their logic."""
