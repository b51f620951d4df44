"""A patient case, however it arrives: read, put on nodes of its own, checked, with what counts derived."""
