"""The workbench: the knowledge base as pages, for people and for other programs."""
