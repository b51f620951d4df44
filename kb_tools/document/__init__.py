"""A copy of a policy's document: read, cut into units, and held against what is on file."""
