"""The units in which cases state numbers, as the vocabularies say (case:unit)."""

from __future__ import annotations

from rdflib import Graph

from kb_tools.rdf.namespaces import CASE

# The links from a property that states a number exactly to those that state a bound of it.
BOUNDS = (CASE.atLeast, CASE.atMost, CASE.below)
# The units of bare numbers and of shares: no number in another unit is one of these.
BARE = ("1", "%")


def units_of(ontology: Graph) -> dict[str, str]:
    """The UCUM code of the unit of each property that states a number or a bound of one; none of bare numbers."""
    found: dict[str, str] = {}
    for exact, unit in ontology.subject_objects(CASE.unit):
        if str(unit) not in BARE:
            bounds = (bound for link in BOUNDS for bound in ontology.objects(exact, link))
            found.update((str(property_), str(unit)) for property_ in (exact, *bounds))
    return found
