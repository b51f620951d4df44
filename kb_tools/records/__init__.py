"""Decision records: what is needed to give a determination again, in a folder that only grows.

- `chain`: the file of the records, a line each, chained by digests; written under a lock, verified as it is read.
- `folder`: the folder of a record, and the files beside the chain, each named by its SHA-256.
- `answer`: what a record holds of a determination.
- `state`: what a determination rests on beside its case: tool, engine, libraries, seal, what is reached, the words.
- `kept`: a case as it was read, where it is kept.
- `recorder`: records determinations.
- `replay`: determines them again, and says what differs.
"""
