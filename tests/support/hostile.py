"""Queries that would run for hours, or fill the memory."""

from __future__ import annotations

HOSTILE = {
    "count of a cross product": "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
    "order of a cross product": "SELECT ?a { ?a ?b ?c . ?d ?e ?f } ORDER BY ?f ?a",
    "paths": "SELECT (COUNT(*) AS ?n) { ?a ((!pol:a|^(!pol:b))/(!pol:a|^(!pol:b)))* ?c . ?c (!pol:a|^(!pol:b))* ?d }",
    "regular expression": "ASK { ?a ?b ?c . ?d ?e ?f FILTER REGEX(CONCAT(STR(?c), STR(?f)), '(.*a.*b.*){9}~') }",
    "construct": "CONSTRUCT { ?a ?b ?f } WHERE { ?a ?b ?c . ?d ?e ?f FILTER (CONCAT(STR(?c), STR(?f)) = '') }",
    "optional": "SELECT (COUNT(*) AS ?n) { "
    + "OPTIONAL { ?a ?b ?c } " * 3
    + "OPTIONAL { ?x ?y ?z } OPTIONAL { ?u ?v ?w } }",
    "distinct": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?a ?b ?c . ?d ?e ?f BIND (MD5(CONCAT(STR(?c), STR(?f))) AS ?x) }",
    "parsing": "SELECT * { FILTER (?x IN (" + ", ".join(map(str, range(20_000))) + ")) }",
}

# Doubles a text until it fills any memory.
DOUBLING = 'SELECT (STRLEN(?v36) AS ?n) { BIND ("x" AS ?v0) ' + (
    " ".join(f"BIND (CONCAT(?v{n}, ?v{n}) AS ?v{n + 1})" for n in range(36)) + " }"
)
