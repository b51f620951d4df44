"""Two revisions compared, and the seal of each."""
