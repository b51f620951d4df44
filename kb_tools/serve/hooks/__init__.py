"""Da Vinci CRD by CDS Hooks 2.0: what a draft order comes to, as a card and as coverage information."""
