# lungsynth: `make` prints this help.
ENV := $(or $(LUNGSYNTH_ENV),.venv)
BIN := $(abspath $(ENV))/bin
CORES ?= 2
STUDY ?=
OVERLAY := $(if $(STUDY),--configfile config.yaml studies/$(STUDY).yaml)
NAME := $(or $(STUDY),demo)
RUN = PATH="$(BIN):$$PATH" snakemake --cores $(CORES) $(OVERLAY)
STAMP := $(ENV)/.lungsynth-installed

.DEFAULT_GOAL := help
.PHONY: help install demo resume status audit test lint format bench test-slurm clean clean-states

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14
	@echo "STUDY=name runs studies/name.yaml, CORES=n sets the cores (now $(CORES)); LUNGSYNTH_ENV=folder uses your environment"

install: $(STAMP) ## the locked packages into .venv (or nothing, where LUNGSYNTH_ENV names an environment)

$(STAMP): requirements.txt
	@if [ -z "$(LUNGSYNTH_ENV)" ]; then \
	  python3 -m venv $(ENV) && $(BIN)/pip install --quiet --quiet --disable-pip-version-check torch==2.13.0 \
	  && $(BIN)/pip install --quiet --quiet --disable-pip-version-check -r requirements.txt; fi
	@touch $(STAMP) 2>/dev/null || true

demo: install ## the whole chain on the phantom cohort: minutes on two cores; ends with what to look at
	@$(RUN)
	@printf '\nLook at:\n  results/$(NAME)/report/report.html    the report, opens offline\n  results/$(NAME)/release/              the data set: manifest.csv, lesions.csv, images, masks\n  results/$(NAME)/score/scores.csv      every score with its interval and floor\n  results/$(NAME)/cohort/qc.html        a picture of every scan\n'

resume: install ## go on after a killed run
	@$(RUN) --unlock >/dev/null 2>&1 || true
	@$(RUN)

status: install ## what would run, and why
	@$(RUN) --dry-run --quiet rules

audit: install ## is every result what the ledger says, made by this code, these settings and these packages?
	@PATH="$(BIN):$$PATH" python -m lungsynth.workflow.audit $(OVERLAY)

test: install ## the whole test suite
	@PATH="$(BIN):$$PATH" python -m pytest tests -m "not slurm" --durations=8

lint: install ## ruff, snakefmt, snakemake --lint, import-linter
	@PATH="$(BIN):$$PATH" ruff check . && PATH="$(BIN):$$PATH" ruff format --check .
	@PATH="$(BIN):$$PATH" snakefmt --check Snakefile rules
	@PATH="$(BIN):$$PATH" lint-imports
	@PATH="$(BIN):$$PATH" snakemake --lint

format: install ## rewrite the sources in the house's style
	@PATH="$(BIN):$$PATH" ruff check --fix . ; PATH="$(BIN):$$PATH" ruff format . ; PATH="$(BIN):$$PATH" snakefmt Snakefile rules

bench: install ## the side-by-side benchmarks
	@for script in benchmarks/*.py; do PATH="$(BIN):$$PATH" PYTHONPATH=. python $$script || exit 1; done

test-slurm: install ## the test study through a real SLURM (SLURM_CONF or a running cluster is needed)
	@PATH="$(BIN):$$PATH" python -m pytest tests -m slurm

clean-states: ## training states that no later step needs
	@find results -name 'state-*.pt' -path '*/$(NAME)/*' 2>/dev/null | sort -V | awk -F'state-' '{ if (last && dir == $$1) print last; last = $$0; dir = $$1 }' | xargs -r rm -v

clean: ## results of the study
	rm -rf results/$(NAME) logs/$(NAME)
