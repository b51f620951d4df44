"""The FHIR R4 operations: what is at /fhir, beside the pages."""
