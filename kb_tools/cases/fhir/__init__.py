"""Cases from FHIR R4."""
