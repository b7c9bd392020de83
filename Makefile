# make quick   everything at small scale in some minutes: figures and table 1 in paper_figures/
# make test    the tests of the package and of the workflow
# make test-slurm   profiles/slurm on a Slurm of one node, which it starts and stops: root, slurm-wlm and munge
# make bench   speed beside foolbox, torchattacks and ART, in a quarter of an hour: benchmarks/results/
# make reference   what two CPU cores carry at the paper's settings, in days, gathered in reference_results/
# make lint    ruff, snakefmt, snakemake --lint
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quick test test-slurm bench reference lint environment

quick: environment
	$(BIN)/snakemake --workflow-profile profiles/quick

test: environment
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile lib tests

test-slurm: environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint envs/requirements.txt '.[slurm]'
	$(BIN)/python -m pytest --capture=no -m slurm tests/test_slurm.py

bench: environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint envs/requirements.txt '.[bench]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchattacks==3.5.1
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.hours

reference: environment
	$(BIN)/snakemake --workflow-profile profiles/reference -- reference

lint: environment
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

environment: .venv/complete

.venv/complete: envs/requirements.txt envs/snakemake
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	cp envs/snakemake $(BIN)/snakemake
	touch $@
