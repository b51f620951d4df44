# Needs only Python 3.11 or later and make; everything else is installed into .venv.
PYTHON ?= python3
BIN    := .venv/bin
CASES  := policies/CP.MP.101/cases
# What is imported is compiled once. Containers often set this, and each of the hundreds of processes that the tests
# start would compile all that it imports anew, which takes longer than what most of them do.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test tests test-extended test-browser fhir-validator lint check examples bench docs clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[dev,fast]'
	touch $@

# The main job on real input: what five requests come to. Exit code 1 of kb says that not all meet the criteria.
demo: .venv/ready
	$(BIN)/kb show
	@echo
	$(BIN)/kb validate --revision 2026-02 \
	    $(CASES)/relapsed-aml-after-transplant-meets.ttl \
	    $(CASES)/cd4-selected-lymphocytes-are-excluded.ttl \
	    $(CASES)/dual-eligible-plan-is-referred.ttl \
	    $(CASES)/mrd-before-the-transplant-does-not-count.ttl \
	    $(CASES)/grades-1-and-3-on-one-day-conflict.ttl \
	    || test $$? -eq 1

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# All that must pass, side by side: tests often wait for processes of their own.
test: .venv/ready
	$(MAKE) -j4 lint tests check examples

tests: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=20 -rs -m "not extended"

# What repeats, with the slowest engine or with all example cases, what other tests show.
test-extended: .venv/ready
	$(BIN)/python -m pytest -n 2 -m extended
	$(BIN)/kb test

# The workbench in a browser. make test runs these too where there is one, and says that it skips them where not.
test-browser: .venv/ready
	$(BIN)/python -c "import sys; sys.path.insert(0, 'tests/support'); import browsers; sys.exit(browsers.missing())"
	$(BIN)/python -m pytest -m browser tests/browser

# An independent validator of FHIR R4, from npm, for the tests alone. make test says that it skips what needs it where
# it is not installed.
fhir-validator: .venv/ready
	npm install --no-save --no-audit --no-fund --prefix .venv fhir@4.12.0

check: .venv/ready
	$(BIN)/kb check --all

examples: .venv/ready
	$(BIN)/kb test --coverage --engine pyshifty

bench: .venv/ready
	$(BIN)/python benchmarks/determine.py

# What is generated: the page of the model and the format of cases as JSON, from the vocabularies and the case shapes;
# the command reference, from the commands; and what the commands of the other pages print.
docs: .venv/ready
	$(BIN)/python docs/build/model.py > docs/model.md.new && mv docs/model.md.new docs/model.md
	$(BIN)/kb case schema --shared > docs/case.schema.json.new && mv docs/case.schema.json.new docs/case.schema.json
	$(BIN)/kb case schema --shared --context > docs/case-context.jsonld.new && mv docs/case-context.jsonld.new docs/case-context.jsonld
	$(BIN)/python docs/build/commands.py > docs/commands.md.new && mv docs/commands.md.new docs/commands.md
	$(BIN)/python tests/support/doc_pages.py --write

clean:
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis dist build
