"""Where an answer of a form comes from, as Da Vinci DTR says it (`information-origin`): the chart, or a person.

DTR 2.1 says `auto` of what was filled from the chart, 2.2 `auto-client` or `auto-server`. What a person wrote
(`manual`), or changed (`override`), is an attestation; and so is everything that does not say clearly that it is from
the chart: no origin or two of them, an unknown one, or one from the chart that names an author, which DTR forbids.
"""

from __future__ import annotations

from kb_tools.cases.fhir.element import Element

ORIGIN = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/information-origin"
FROM_CHART = ("auto", "auto-client", "auto-server")


def is_from_chart(answer: Element) -> bool:
    """Whether an answer says that it was filled from the chart, and that nobody changed it."""
    origins = [extension for extension in answer.all("extension") if extension.text("url") == ORIGIN]
    if len(origins) != 1:
        return False
    parts = origins[0].all("extension")
    return [part.text("url") for part in parts] == ["source"] and parts[0].text("valueCode") in FROM_CHART
