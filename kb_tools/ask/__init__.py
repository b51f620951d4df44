"""Questions to the knowledge base: ready ones and SPARQL, run in a confined process."""
