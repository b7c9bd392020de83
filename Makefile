# make quick   everything at small scale in some minutes: figures and table 1 in paper_figures/
# make test    the tests of the package and of the workflow
# make lint    ruff, snakefmt, snakemake --lint
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quick test lint environment

quick: environment
	$(BIN)/snakemake --workflow-profile profiles/quick

test: environment
	$(BIN)/pytest lib tests

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

environment: .venv/complete

.venv/complete: envs/requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	touch $@
