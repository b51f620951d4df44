"""How fast FHIR bundles are read, and in how much memory, beside json.loads alone on the same input.

Reading is measured with the record of the reading and without it. The lines `same run` read and parse by turns in one
process, so that their ratio changes little with what else the machine does; what a process loads once (the knowledge
base, the terminology, the library) is given apart there.

Usage: python benchmarks/fhir.py [NUMBER_OF_BUNDLES] [RESOURCES_A_BUNDLE]
"""

from __future__ import annotations

import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.repository import Repository, find_root

PATIENT = {"reference": "Patient/p"}
CLIN = "https://w3id.org/policykb/clinical#"
LABS = ["718-7", "6690-2", "777-3", "2160-0", "1742-6", "1920-8", "2345-7", "2951-2"]


def coded(system: str, *codes: str) -> dict[str, Any]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code} for code in codes]}


def bundle(chance: random.Random, number: int, size: int) -> dict[str, Any]:
    """A request with its plan and chart: a third of the resources findings, the rest a laboratory's noise."""
    icd, cpt = "http://hl7.org/fhir/sid/icd-10-cm", "http://www.ama-assn.org/go/cpt"
    code = coded(icd, chance.choice(["C92.02", "C92.01", "C90.02", "C83.38"]))
    item = {
        "sequence": 1,
        "diagnosisSequence": [1],
        "productOrService": coded(cpt, "38242"),
        "servicedDate": "2026-07-01",
    }
    claim = {
        "resourceType": "Claim",
        "status": "active",
        "use": "preauthorization",
        "type": {"text": "professional"},
        "patient": PATIENT,
        "created": "2026-06-25",
        "provider": {"display": "provider"},
        "priority": {"text": "normal"},
        "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": code}],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/c"}}],
        "item": [item],
    }
    plan = coded("https://nahdo.org/sopt", chance.choice(["511", "2", "11"]))
    found = [
        claim,
        {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:plan", "value": str(number)}]},
        {
            "resourceType": "Coverage",
            "id": "c",
            "status": "active",
            "type": plan,
            "beneficiary": PATIENT,
            "payor": [{}],
        },
        {"resourceType": "Procedure", "status": "completed", "code": coded(cpt, "38240"), "subject": PATIENT}
        | {"performedDateTime": "2025-01-15"},
        {"resourceType": "Condition", "code": code, "subject": PATIENT, "recordedDate": "2026-06-01"},
    ]
    while len(found) < size:
        day = f"2026-06-{chance.randint(1, 28):02}"
        observation = {"resourceType": "Observation", "status": "final", "subject": PATIENT, "effectiveDateTime": day}
        if chance.random() < 1 / 3:
            percent = {"value": chance.randint(50, 100), "system": "http://unitsofmeasure.org", "code": "%"}
            kind = coded(CLIN, "ChimerismTest", chance.choice(["TCells", "WholeBlood"]))
            found.append(observation | {"code": kind, "valueQuantity": percent})
        else:
            value = {"value": chance.random() * 10, "unit": "g/dL"}
            found.append(observation | {"code": coded("http://loinc.org", chance.choice(LABS)), "valueQuantity": value})
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": content} for content in found]}


def cases_of(reader: CaseReader, path: Path) -> Iterator[Case]:
    """The cases of an NDJSON file, one at a time."""
    for case in reader.stream(str(path), path, io.BytesIO()):
        assert isinstance(case, Case), case
        yield case


def parse(path: Path) -> int:
    """json.loads alone."""
    with path.open("rb") as file:
        return sum(len(json.loads(line)["entry"]) > 0 for line in file)


def read(path: Path, record: bool = True) -> int:
    """Bundles made cases."""
    return sum(1 for _ in cases_of(CaseReader(Repository(find_root()), record=record), path))


def read_without_record(path: Path) -> int:
    """Bundles made cases, without the record of the reading."""
    return read(path, record=False)


def determine(path: Path) -> int:
    """Bundles made cases and determined."""
    kb = Repository(find_root())
    answers = Run(kb, kb.policy(), "pyshacl", revision="2026-02").answers(cases_of(CaseReader(kb), path))
    return sum(isinstance(answer, Determination) for answer in answers)


STEPS: dict[str, Callable[[Path], int]] = {
    "json.loads": parse,
    "read": read,
    "no record": read_without_record,
    "determined": determine,
}


def by_turns(path: Path, turns: int = 20) -> None:
    """Prints how long reading takes beside json.loads, measured by turns in this process, once all is loaded."""
    kb = Repository(find_root())
    lines = path.read_bytes().splitlines(keepends=True)
    size = max(1, min(50, len(lines) // turns))
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.ndjson"
        for name, record in (("with the record", True), ("without it", False)):
            reader = CaseReader(kb, record=record)
            reading, parsing = [], []
            for turn in range(turns + 1):
                first = turn * size % max(1, len(lines) - size + 1)
                part.write_bytes(b"".join(lines[first : first + size]))
                started = time.process_time()
                done = sum(1 for _ in cases_of(reader, part))
                between = time.process_time()
                parse(part)
                reading.append((between - started) / done)
                parsing.append((time.process_time() - between) / done)
            loading = reading.pop(0) - median(reading)
            ratio = median(reading) / median(parsing)
            print(
                f"same run, {name:16} {median(reading) * 1e6:6.0f} microseconds a bundle, {ratio:5.1f} times json.loads"
                f" ({median(parsing) * 1e6:.0f}); loaded once: {loading * size:.2f} s"
            )


def main(count: int = 2000, size: int = 30) -> None:
    """Prints a table: each step in a process of its own, so that its memory is its own."""
    chance = random.Random(101)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundles.ndjson"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(bundle(chance, number, size)) + "\n" for number in range(count))
        print(f"{count} bundles of {size} resources, {path.stat().st_size / 2**20:.1f} MiB of NDJSON")
        first = 0.0
        for step in STEPS:
            command = [sys.executable, __file__, step, str(path)]
            done, seconds, memory = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            assert done == count
            first = first or seconds
            print(
                f"{step:12} {seconds:7.2f} s  {count / seconds:8.0f} cases/s  {memory / 1024:6.0f} MiB at most"
                f"  {seconds / first:6.1f} times json.loads"
            )
        by_turns(path)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in STEPS:
        start = time.perf_counter()
        number = STEPS[sys.argv[1]](Path(sys.argv[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([number, time.perf_counter() - start, peak]))
    else:
        main(*map(int, sys.argv[1:]))
