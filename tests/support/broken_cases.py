"""The well-formed case with one part put another way: each row states what breaks in it, and at which place."""

from __future__ import annotations

from dataclasses import dataclass

from case_files import EX


@dataclass(frozen=True)
class Broken:
    """The well-formed case with one part put another way, and what breaks in it.

    Attributes:
        finds: focus, path, value, shape, and what is added to the message of the shape.
    """

    name: str
    old: str
    new: str
    finds: tuple[tuple[str, str, str, str, str], ...]


def broken(name: str, old: str, new: str, *finds: str) -> Broken:
    """Each of `finds` is "focus | path | value | shape", and the addition to the message where there is one."""
    rows = [[part.strip() for part in find.split("|")] for find in finds]
    return Broken(name, old, new, tuple((f, p, v, s, g) for f, p, v, s, g, *_ in ([*row, ""] for row in rows)))


def no_day(name: str, written: str, shown: str) -> list[Broken]:
    """One wrong day, as the date of a finding and as the service date."""
    return [
        broken(
            f"a finding dated {name}",
            '"2026-06-05"^^xsd:date',
            written,
            f"acute | case:date | {shown} | shape:Finding-date",
        ),
        broken(
            f"a service dated {name}",
            '"2026-07-01"^^xsd:date',
            written,
            f"request | case:serviceDate | {shown} | shape:Request-serviceDate",
        ),
    ]


def no_percent(written: str, shown: str) -> Broken:
    return broken(
        f"donor cells of {written}",
        "clin:donorPercent 90.0",
        f"clin:donorPercent {written}",
        f"chimerism | clin:donorPercent | {shown} | shape:ChimerismTest-donorPercent",
    )


def no_grade(written: str, shown: str) -> Broken:
    return broken(
        f"a grade of {written}",
        "clin:grade 1",
        f"clin:grade {written}",
        f"acute | clin:grade | {shown} | shape:AcuteGvHDAssessment-grade",
    )


FOAF = "<http://xmlns.com/foaf/0.1/name>"
ONE_GRADE, ONE_SHARE = "clin:grade 1", "clin:donorPercent 90.0"

BROKEN = [
    # spelling
    broken(
        "a misspelt property of a finding",
        ONE_GRADE,
        "clin:grad 1",
        "acute | clin:grad | 1 | shape:AcuteGvHDAssessment | Did you mean clin:grade?",
    ),
    broken(
        "a misspelt property of the request",
        "case:reason",
        "case:reson",
        "request | case:reson | clin:AcuteMyeloidLeukemia | shape:Request | Did you mean case:reason?",
    ),
    broken(
        "a misspelt property of the coverage",
        "case:lineOfBusiness",
        "case:lineofbusiness",
        "coverage | case:lineofbusiness | case:Commercial | shape:Coverage | Did you mean case:lineOfBusiness?",
    ),
    broken(
        "a misspelt property of the product",
        "clin:lymphocyteDonor",
        "clin:lymphocytesDonor",
        "product | clin:lymphocytesDonor | clin:TransplantDonor | shape:Product | Did you mean clin:lymphocyteDonor?",
    ),
    broken(
        "a misspelt link to the findings",
        "case:finding :transplant , :status ,",
        "case:findings :transplant ; case:finding :status ,",
        f"case | case:findings | {EX}transplant | shape:Case | Did you mean case:finding?",
    ),
    broken(
        "a property under the wrong prefix",
        ONE_GRADE,
        "case:grade 1",
        "acute | case:grade | 1 | shape:AcuteGvHDAssessment | Did you mean clin:grade?",
    ),
    broken(
        "a property of another class of findings",
        ONE_GRADE,
        "clin:grade 1 ; clin:relapseRisk clin:RaisedRelapseRisk",
        "acute | clin:relapseRisk | clin:RaisedRelapseRisk | shape:AcuteGvHDAssessment",
    ),
    broken(
        "a property that is no address on the web",
        ONE_GRADE,
        "clin:grade 1 ; <urn:note> 'x'",
        "acute | <urn:note> | x | shape:AcuteGvHDAssessment",
    ),
    broken(
        "a misspelt class of a finding",
        "a clin:AcuteGvHDAssessment",
        "a clin:AcuteGVHDAssessment",
        f"case | case:finding | {EX}acute | shape:Case-finding | Did you mean clin:AcuteGvHDAssessment?",
    ),
    broken(
        "a finding without a class",
        "a clin:AcuteGvHDAssessment ;",
        "",
        f"case | case:finding | {EX}acute | shape:Case-finding",
    ),
    broken(
        "a finding of two classes",
        "a clin:AcuteGvHDAssessment",
        "a clin:AcuteGvHDAssessment , clin:ChronicGvHDAssessment",
        "acute | clin:grade | 1 | shape:ChronicGvHDAssessment",
        f"case | case:finding | {EX}acute | shape:Case-finding",
    ),
    broken(
        "a finding that is a text",
        "case:finding :transplant",
        "case:finding 'grade 1' , :transplant",
        "case | case:finding | grade 1 | shape:Case-finding",
    ),
    broken(
        "a finding that is a term",
        "case:finding :transplant",
        "case:finding clin:Relapsed , :transplant",
        "case | case:finding | clin:Relapsed | shape:Case-finding",
    ),
    broken(
        "an unknown disease as the reason",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason clin:AcuteMyeloidLeukaemia",
        "request | case:reason | clin:AcuteMyeloidLeukaemia | shape:Request-reason "
        "| Did you mean clin:AcuteMyeloidLeukemia?",
    ),
    broken(
        "an unknown disease that comes close to none",
        "clin:disease clin:Leukemia",
        "clin:disease clin:Flu",
        "status | clin:disease | clin:Flu | shape:DiseaseStatusAssessment-disease",
    ),
    broken(
        "a disease of another vocabulary",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason <http://snomed.info/id/91861009>",
        "request | case:reason | http://snomed.info/id/91861009 | shape:Request-reason",
    ),
    broken(
        "a disease as a text",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason 'AML'",
        "request | case:reason | AML | shape:Request-reason",
    ),
    broken(
        "a term of the wrong kind",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason clin:Relapsed",
        "request | case:reason | clin:Relapsed | shape:Request-reason",
    ),
    broken(
        "an unknown line of business",
        "case:Commercial",
        "case:Comercial",
        "coverage | case:lineOfBusiness | case:Comercial | shape:Coverage-lineOfBusiness "
        "| Did you mean case:Commercial?",
    ),
    broken(
        "an unknown purpose",
        "clin:TreatRelapse",
        "clin:CureAll",
        "request | case:purpose | clin:CureAll | shape:Request-purpose",
    ),
    broken(
        "an unknown processing",
        "clin:Unmanipulated",
        "clin:Washed",
        "product | clin:processing | clin:Washed | shape:Product-processing",
    ),
    broken(
        "a code that is no code",
        "cpt:38242",
        "cpt:3824",
        "request | case:procedureCode | cpt:3824 | shape:Request-procedureCode",
    ),
    broken(
        "a code as a text",
        "cpt:38242",
        "'38242'",
        "request | case:procedureCode | 38242 | shape:Request-procedureCode",
    ),
    # days
    *no_day("soon", '"soon"^^xsd:date', "soon"),
    *no_day("in a text", '"2026-06-05"', "2026-06-05"),
    *no_day("in a text with a language", '"2026-06-05"@en', "2026-06-05"),
    *no_day("with a time", '"2026-06-05T00:00:00"^^xsd:dateTime', "2026-06-05T00:00:00"),
    *no_day("with a time as a date", '"2026-06-05T00:00:00"^^xsd:date', "2026-06-05T00:00:00"),
    *no_day("in Greenwich", '"2026-06-05Z"^^xsd:date', "2026-06-05Z"),
    *no_day("in a time zone", '"2026-06-05+02:00"^^xsd:date', "2026-06-05+02:00"),
    *no_day("February 30", '"2026-02-30"^^xsd:date', "2026-02-30"),
    *no_day("April 31", '"2026-04-31"^^xsd:date', "2026-04-31"),
    *no_day("February 29 of 2023", '"2023-02-29"^^xsd:date', "2023-02-29"),
    *no_day("February 29 of 1900", '"1900-02-29"^^xsd:date', "1900-02-29"),
    *no_day("in month 13", '"2026-13-01"^^xsd:date', "2026-13-01"),
    *no_day("on day 0", '"2026-06-00"^^xsd:date', "2026-06-00"),
    *no_day("without leading zeros", '"2026-6-5"^^xsd:date', "2026-6-5"),
    *no_day("in the year 0", '"0000-01-01"^^xsd:date', "0000-01-01"),
    *no_day("in the year 26", '"0026-06-05"^^xsd:date', "0026-06-05"),
    *no_day("before Christ", '"-2026-06-05"^^xsd:date', "-2026-06-05"),
    *no_day("in a year of five digits", '"12026-06-05"^^xsd:date', "12026-06-05"),
    Broken(
        "a finding dated in spaces",
        '"2026-06-05"^^xsd:date',
        '" 2026-06-05 "^^xsd:date',
        (("acute", "case:date", " 2026-06-05 ", "shape:Finding-date", ""),),
    ),
    *no_day("on two lines", '"2026-06-05\\n"^^xsd:date', "2026-06-05\N{REPLACEMENT CHARACTER}"),
    *no_day("with a month alone", '"2026-06"^^<http://www.w3.org/2001/XMLSchema#gYearMonth>', "2026-06"),
    *no_day("with a number", "2026", "2026"),
    *no_day("with a node", "<urn:day>", "urn:day"),
    *no_day("twice", '"2026-06-05"^^xsd:date , "2026-06-06"^^xsd:date', ""),
    broken(
        "a finding without a date",
        'case:date "2026-06-05"^^xsd:date ;',
        "",
        "acute | case:date | | shape:Finding-date",
    ),
    broken(
        "a request without a date",
        'case:serviceDate "2026-07-01"^^xsd:date ;',
        "",
        "request | case:serviceDate | | shape:Request-serviceDate",
    ),
    # numbers
    *(no_percent(number, number) for number in ("140", "-1", "140.0", "100.1", "-0.1", "9e1", "true")),
    no_percent('"90"', "90"),
    no_percent('"ninety"^^xsd:decimal', "ninety"),
    no_percent('"90"^^xsd:float', "90"),
    no_percent('"NaN"^^xsd:double', "NaN"),
    # What Python would take for a number, and one of which pySHACL would die.
    no_percent('"NaN"^^xsd:decimal', "NaN"),
    no_percent('"sNaN"^^xsd:decimal', "sNaN"),
    no_percent('"Infinity"^^xsd:decimal', "Infinity"),
    no_percent('"9e1"^^xsd:decimal', "9e1"),
    no_percent('"9_0"^^xsd:integer', "9_0"),
    no_percent('"90."^^xsd:decimal', "90."),
    no_percent('"\N{ARABIC-INDIC DIGIT NINE}"^^xsd:integer', "\N{ARABIC-INDIC DIGIT NINE}"),
    no_grade('"0_1"^^xsd:integer', "0_1"),
    no_percent('"90"^^xsd:int', "90"),
    no_percent("90 , 91", ""),
    *(no_grade(number, number) for number in ("7", "5", "-1", "2.0", "2e0")),
    no_grade('"2"', "2"),
    no_grade('"II"', "II"),
    no_grade('"two"^^xsd:integer', "two"),
    no_grade("1 , 2", ""),
    broken(
        "a lower bound over the upper one",
        ONE_SHARE,
        "clin:donorPercentAtLeast 95 ; clin:donorPercentAtMost 90",
        "chimerism | clin:donorPercentAtLeast | 95 | shape:ChimerismTest-donorPercentAtLeast",
    ),
    broken(
        "a lower bound at an upper one that is not reached",
        ONE_SHARE,
        "clin:donorPercentAtLeast 90 ; clin:donorPercentBelow 90.0",
        "chimerism | clin:donorPercentAtLeast | 90 | shape:ChimerismTest-donorPercentAtLeast",
    ),
    broken(
        "a bound over 100",
        ONE_SHARE,
        "clin:donorPercentAtMost 101",
        "chimerism | clin:donorPercentAtMost | 101 | shape:ChimerismTest-donorPercentAtMost",
    ),
    broken(
        "a share below 0",
        ONE_SHARE,
        "clin:donorPercentBelow 0",
        "chimerism | clin:donorPercentBelow | 0 | shape:ChimerismTest-donorPercentBelow",
    ),
    *(
        broken(
            f"an exact share and a bound ({bound})",
            ONE_SHARE,
            f"clin:donorPercent 90 ; clin:donorPercent{bound} 90",
            "chimerism | | | shape:ChimerismTest-exactOrBounds",
        )
        for bound in ("AtLeast", "AtMost", "Below")
    ),
    broken(
        "two upper bounds of a share",
        ONE_SHARE,
        "clin:donorPercentAtMost 90 ; clin:donorPercentBelow 95",
        "chimerism | | | shape:ChimerismTest-oneUpperBound",
    ),
    broken(
        "a lower grade over the upper one",
        ONE_GRADE,
        "clin:gradeAtLeast 3 ; clin:gradeAtMost 2",
        "acute | clin:gradeAtLeast | 3 | shape:AcuteGvHDAssessment-gradeAtLeast",
    ),
    *(
        broken(
            f"an exact grade and a bound ({bound})",
            ONE_GRADE,
            f"clin:grade 1 ; clin:grade{bound} 1",
            "acute | | | shape:AcuteGvHDAssessment-exactOrBounds",
        )
        for bound in ("AtLeast", "AtMost")
    ),
    broken(
        "a trial that may be",
        "clin:withinClinicalTrial false",
        'clin:withinClinicalTrial "maybe"^^xsd:boolean',
        "product | clin:withinClinicalTrial | maybe | shape:Product-withinClinicalTrial",
    ),
    broken(
        "a trial as a number of the class of truth values",
        "clin:withinClinicalTrial false",
        'clin:withinClinicalTrial "1"^^xsd:boolean',
        "product | clin:withinClinicalTrial | 1 | shape:Product-withinClinicalTrial",
    ),
    broken(
        "a trial as a text",
        "clin:withinClinicalTrial false",
        "clin:withinClinicalTrial 'no'",
        "product | clin:withinClinicalTrial | no | shape:Product-withinClinicalTrial",
    ),
    # how often
    broken(
        "two requests",
        "case:request :request",
        'case:request :request , [ a case:Request ; case:serviceDate "2026-07-02"^^xsd:date ]',
        "case | case:request | | shape:Case-request",
    ),
    broken("no request", "case:request :request ;", "", "case | case:request | | shape:Case-request"),
    broken(
        "two coverages",
        "case:coverage :coverage",
        "case:coverage :coverage , [ a case:Coverage ]",
        "case | case:coverage | | shape:Case-coverage",
    ),
    broken("no coverage", "case:coverage :coverage ;", "", "case | case:coverage | | shape:Case-coverage"),
    broken(
        "a coverage without a class",
        "a case:Coverage ;",
        "",
        f"case | case:coverage | {EX}coverage | shape:Case-coverage",
    ),
    broken(
        "two lines of business",
        "case:Commercial",
        "case:Commercial , case:Medicaid",
        "coverage | case:lineOfBusiness | | shape:Coverage-lineOfBusiness",
    ),
    broken(
        "two reasons",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason clin:AcuteMyeloidLeukemia , clin:Leukemia",
        "request | case:reason | | shape:Request-reason",
    ),
    broken(
        "two services",
        "case:service clin:DonorLymphocyteInfusion",
        "case:service clin:DonorLymphocyteInfusion , clin:OtherService",
        "request | case:service | | shape:Request-service",
    ),
    broken(
        "a finding without a basis",
        'case:date "2026-06-05"^^xsd:date ;\n    case:basis case:ChartEvidence ;',
        'case:date "2026-06-05"^^xsd:date ;',
        "acute | case:basis | | shape:Finding-basis",
    ),
    broken("no patient", "case:patient :patient ;", "", "case | case:patient | | shape:Case-patient"),
    broken(
        "two patients",
        "case:patient :patient",
        "case:patient :patient , :twin",
        "case | case:patient | | shape:Case-patient",
    ),
    broken(
        "a patient by name",
        "case:patient :patient",
        f"case:patient [ {FOAF} 'Jane Roe' ]",
        "case | case:patient | | shape:Case-patient",
    ),
    broken(
        "a patient as a text",
        "case:patient :patient",
        "case:patient 'Jane Roe'",
        "case | case:patient | a text | shape:Case-patient",
    ),
    broken(
        "an absence of what need not be stated absent",
        "clin:absenceOf clin:EarlierInfusion",
        "clin:absenceOf clin:MRDTest",
        "absence | clin:absenceOf | clin:MRDTest | shape:StatedAbsence-absenceOf",
    ),
    # what contradicts itself, and what is derived
    broken(
        "a product unmanipulated and manipulated",
        "clin:Unmanipulated",
        "clin:Unmanipulated , clin:CD4Selection",
        "product | | | shape:Product-unmanipulatedOrManipulated",
    ),
    *(
        broken(
            f"a file that states what is derived of a case ({link})",
            "case:finding :transplant",
            f"case:{link} :acute ; case:finding :transplant",
            f"case | case:{link} | | shape:NothingDerived-{link}",
        )
        for link in ("countableFinding", "latestFinding", "currentFinding", "perhapsFinding")
    ),
    *(
        broken(
            f"a file that states what is derived of a finding ({link})",
            ONE_GRADE,
            f"clin:grade 1 ; case:{link} {target}",
            f"acute | case:{link} | | shape:NothingDerived-{link}",
        )
        for link, target in (
            ("supersededBy", ":chronic"),
            ("differsFrom", ":chronic"),
            ("contradictedBy", ":chronic"),
            ("mayBeBefore", ":transplant"),
            ("mayBeSupersededBy", ":chronic"),
            ("mayNotBeOf", "clin:AcuteMyeloidLeukemia"),
            ("sharesDoubtOf", ":chronic"),
        )
    ),
    # what is in doubt
    *(
        broken(
            f"{name} in doubt",
            f"a clin:{class_} ;",
            f"a clin:{class_} ; case:inDoubt 'Something newer could not be read.' ;",
            f"{finding} | case:inDoubt | Something newer could not be read. | shape:{class_}",
        )
        for name, finding, class_ in (
            ("a transplant", "transplant", "Transplant"),
            ("an earlier infusion", "infusion", "EarlierInfusion"),
        )
    ),
    *(
        broken(
            f"a doubt that is {name}",
            ONE_GRADE,
            f"clin:grade 1 ; case:inDoubt {written}",
            f"acute | case:inDoubt | {shown} | shape:Finding-inDoubt",
        )
        for name, written, shown in (
            ("stated twice", "'one' , 'another'", ""),
            ("empty", "''", ""),
            ("longer than 500 characters", f"'{'d' * 501}'", f"{'d' * 79}…"),
            ("a number", "1", "1"),
            ("a truth value", "true", "true"),
            ("a text with a language", "'newer'@en", "newer"),
            ("a node", "<urn:x:newer>", "urn:x:newer"),
        )
    ),
    # what a terminal would obey
    broken(
        "a value that commands a terminal",
        ONE_GRADE,
        'clin:grade "\\u001B[2J\\u0007"',
        "acute | clin:grade | \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER} | shape:AcuteGvHDAssessment-grade",
    ),
    broken(
        "a value as long as a book",
        ONE_GRADE,
        f'clin:grade "{"long" * 1000}"',
        f"acute | clin:grade | {('long' * 20)[:79]}… | shape:AcuteGvHDAssessment-grade",
    ),
]
