"""How results are shown: one file a format, or a command whose results have a form of their own."""
