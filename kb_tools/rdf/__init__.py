"""RDF and SHACL, and nothing of policies."""
