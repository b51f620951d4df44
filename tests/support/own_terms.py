"""Policies that bring terms of their own: a vocabulary, shapes of findings and conditions, in folders of theirs.

Invented: an operation starts a period, and a weight counts since the latest operation.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = "https://w3id.org/policykb/"
PREFIXES = """# Invented for a test.
PREFIX case:   <https://w3id.org/policykb/case#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX owl:    <http://www.w3.org/2002/07/owl#>
PREFIX pol:    <https://w3id.org/policykb/policy#>
PREFIX rdf:    <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX rdfs:   <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sh:     <http://www.w3.org/ns/shacl#>
PREFIX shape:  <https://w3id.org/policykb/shape#>
PREFIX skos:   <http://www.w3.org/2004/02/skos/core#>
PREFIX xsd:    <http://www.w3.org/2001/XMLSchema#>
"""
VOCABULARY = """
<BASE/ontology/weight>
    a owl:Ontology ;
    rdfs:label "weights and operations"@en ;
    dcterms:description "Invented for a test."@en ;
    owl:versionIRI <BASE/ontology/weight/1.0.0> ;
    owl:versionInfo "1.0.0" .

own:LETTEROperation
    a owl:Class ;
    rdfs:subClassOf case:Finding ;
    rdfs:label "operation"@en ;
    skos:definition "An operation was done."@en ;
    case:countedBy case:date ;
    case:latestCounts false ;
    case:ofReasonOnly false ;
    case:onServiceDate true ;
    case:startsPeriodBy rdf:type ;
    case:startsPeriodWith own:LETTEROperation ;
    case:mayBeAbsent true .

own:LETTERWeight
    a owl:Class ;
    rdfs:subClassOf case:Finding ;
    rdfs:label "weight"@en ;
    skos:definition "The patient was weighed."@en ;
    case:countedBy own:LETTERclass ;
    case:differsBy own:LETTERclass ;
    case:latestCounts true ;
    case:countsSince own:LETTEROperation ;
    case:ofReasonOnly false ;
    case:onServiceDate true .

own:LETTERclass
    a owl:ObjectProperty ;
    rdfs:label "class of weight"@en ;
    skos:definition "How high the weight is."@en ;
    rdfs:domain own:LETTERWeight ;
    rdfs:range own:LETTERWeightClass .

own:LETTERWeightClass
    a owl:Class ;
    rdfs:subClassOf skos:Concept ;
    rdfs:label "class of weight"@en ;
    skos:definition "How high a weight is."@en .

own:LETTERHigh a own:LETTERWeightClass ; skos:prefLabel "high"@en ;
    skos:definition "The weight is high."@en .
own:LETTERNormal a own:LETTERWeightClass ; skos:prefLabel "normal"@en ;
    skos:definition "The weight is normal."@en .
"""
FINDINGS = """
ownshape:Operation
    a sh:NodeShape ;
    sh:targetClass own:LETTEROperation ;
    sh:closed true ;
    sh:ignoredProperties ( rdf:type case:supersededBy case:differsFrom case:contradictedBy
                           case:mayBeBefore case:mayBeSupersededBy case:mayNotBeOf case:sharesDoubtOf ) ;
    sh:property shape:Finding-date ;
    sh:property shape:Finding-basis ;
    sh:message "An operation states its date and basis, and nothing else."@en .

ownshape:Weight
    a sh:NodeShape ;
    sh:targetClass own:LETTERWeight ;
    sh:closed true ;
    sh:ignoredProperties ( rdf:type case:supersededBy case:differsFrom case:contradictedBy
                           case:mayBeBefore case:mayBeSupersededBy case:mayNotBeOf case:sharesDoubtOf ) ;
    sh:property shape:Finding-date ;
    sh:property shape:Finding-basis ;
    sh:property shape:Finding-inDoubt ;
    sh:property ownshape:Weight-class ;
    sh:message "A weight states its date, basis and class, and nothing else."@en .

ownshape:Weight-class
    a sh:PropertyShape ;
    sh:path own:LETTERclass ;
    sh:maxCount 1 ;
    sh:class own:LETTERWeightClass ;
    sh:message "State at most one class of weight."@en .
"""
CONDITIONS = """
owncond:weight-is-high
    a pol:Condition ;
    rdfs:label "the weight is high"@en ;
    skos:definition "The latest weight since the latest operation is high."@en ;
    pol:asksFor "The latest weight since the latest operation."@en ;
    pol:reads own:LETTERWeight ;
    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown , pol:Conflicting ;
    pol:holdsWhen owncond:WeightHigh ;
    pol:failsWhen owncond:WeightNormal .

owncond:WeightHigh
    a sh:NodeShape ;
    sh:property owncond:WeightHigh-finding .

owncond:WeightHigh-finding
    a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class own:LETTERWeight ;
        sh:property [ sh:path own:LETTERclass ; sh:minCount 1 ; sh:in ( own:LETTERHigh ) ] ] ;
    sh:qualifiedMinCount 1 ;
    sh:message "No current weight is high."@en .

owncond:WeightNormal
    a sh:NodeShape ;
    sh:property owncond:WeightNormal-finding .

owncond:WeightNormal-finding
    a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class own:LETTERWeight ;
        sh:property [ sh:path own:LETTERclass ; sh:minCount 1 ; sh:in ( own:LETTERNormal ) ] ] ;
    sh:qualifiedMinCount 1 ;
    sh:message "No current weight is normal."@en .
"""
FILES = {
    "ontology/weight.ttl": VOCABULARY,
    "shapes/findings/weight.ttl": FINDINGS,
    "shapes/conditions/weight.ttl": CONDITIONS,
}
SPACES = {"": "vocabulary", "shape": "shape", "cond": "condition"}


def bring(root: Path, policy: str, prefix: str) -> None:
    """Adds a policy of tests/data to a knowledge base, with terms of its own, of which it reads a condition.

    Args:
        prefix: the letter with which the prefixes of the policy begin, and the names of its own terms.
    """
    folder = root / "policies" / policy
    shutil.copytree(ROOT / "tests/data" / policy, folder, ignore=shutil.ignore_patterns("cases"))
    spaces = {f"{prefix}own{name}": f"{BASE}{policy}/{kind}#" for name, kind in SPACES.items()}
    for file, text in FILES.items():
        written = text.replace("LETTER", prefix.upper()).replace("BASE/", f"{BASE}{policy}/")
        for name in ("owncond:", "ownshape:", "own:"):
            written = written.replace(name, f"{prefix}{name}")
        used = [
            line for line in PREFIXES.splitlines() if line.startswith("#") or f" {line.split()[1]}" in f" {written}"
        ]
        used += [f"PREFIX {name}: <{iri}>" for name, iri in spaces.items() if f"{name}:" in written]
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("\n".join(used) + "\n" + written, encoding="utf-8")
    declared = "".join(
        f'        [ sh:prefix "{name}" ; sh:namespace "{iri}"^^xsd:anyURI ] ,\n' for name, iri in spaces.items()
    )
    changed(folder / "policy.ttl", "    sh:declare\n", f"    sh:declare\n{declared}")
    criteria = folder / "2024-01/criteria.ttl"
    changed(criteria, "cond:mrd-is-detected cond:relapse", f"{prefix}owncond:weight-is-high cond:relapse")
    text = criteria.read_text(encoding="utf-8")
    criteria.write_text(f"PREFIX {prefix}owncond: <{spaces[f'{prefix}owncond']}>\n{text}", encoding="utf-8")


def changed(path: Path, old: str, new: str) -> None:
    """Puts one part of a file, which stands in it exactly once, another way."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), encoding="utf-8")
