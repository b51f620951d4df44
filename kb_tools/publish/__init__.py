"""The knowledge base for other programs: named graphs, a triple store, shapes for other engines."""
