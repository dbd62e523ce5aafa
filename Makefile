# lungsynth: `make` prints this help.
# A container's user may have neither a name nor a home.
export LOGNAME := $(or $(LOGNAME),$(USER),$(shell id -un >/dev/null 2>&1 && id -un || echo "user$$(id -u)"))
export HOME := $(or $(HOME),/tmp)

empty :=
space := $(empty) $(empty)
THIS := $(strip $(MAKEFILE_LIST))
HERE := $(shell cd "$$(dirname "$(THIS)")" && pwd)
# Programs of an environment name it in their first line, where a blank would end the name: a checkout whose path has
# one gets its environment in the cache.
CACHE = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lungsynth/env-$(shell printf %s "$(HERE)" | cksum | cut -d ' ' -f 1)
OWN := $(if $(findstring $(space),$(HERE)),$(CACHE),$(HERE)/.venv)
ENV := $(if $(LUNGSYNTH_ENV),$(or $(shell cd "$(LUNGSYNTH_ENV)" 2>/dev/null && pwd),$(LUNGSYNTH_ENV)),$(OWN))
BIN := $(ENV)/bin
CORES ?= 2
STUDY ?=
NAME := $(or $(STUDY),demo)
OVERLAY := $(if $(STUDY),--configfile "$(if $(wildcard studies/$(STUDY).yaml),,$(HERE)/)studies/$(STUDY).yaml")
RUN = PATH="$(BIN):$$PATH" snakemake --snakefile "$(HERE)/Snakefile" --cores $(CORES) $(OVERLAY)
PYTHON = PATH="$(BIN):$$PATH" PYTHONPATH="$(HERE):$$PYTHONPATH" python
# Files of tests side by side, the long ones first; in one process where an environment of yours has no pytest-xdist.
TOGETHER = $(shell "$(BIN)/python" -c "import xdist" 2>/dev/null && printf %s "-n $(CORES) --dist loadfile --no-loadscope-reorder")
STAMP := $(subst $(space),\ ,$(ENV))/.lungsynth-installed
LOCK := $(subst $(space),\ ,$(HERE))/requirements.txt

.DEFAULT_GOAL := help
.PHONY: help install demo resume status audit adopt test lint format bench test-slurm clean clean-states

help: ## this list
	@grep -hE '^[a-z-]+:.*##' "$(THIS)" | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14
	@echo "STUDY=name runs studies/name.yaml, CORES=n sets the cores (now $(CORES)); LUNGSYNTH_ENV=folder uses your environment"

install: $(STAMP) ## the locked packages into .venv (or nothing, where LUNGSYNTH_ENV names an environment)
	@case "$(ENV)" in *" "*) echo "lungsynth: $(ENV): the path of an environment may have no blank; set LUNGSYNTH_ENV to another one" >&2; exit 1;; esac

$(STAMP): $(LOCK)
	@if [ -z "$(LUNGSYNTH_ENV)" ]; then \
	  [ "$(ENV)" = "$(HERE)/.venv" ] || echo "The path of this checkout has a blank: its packages go to $(ENV)"; \
	  python3 -m venv "$(ENV)" && "$(BIN)/pip" install --quiet --quiet --disable-pip-version-check torch==2.13.0 \
	  && "$(BIN)/pip" install --quiet --quiet --disable-pip-version-check -r "$(HERE)/requirements.txt"; fi
	@touch "$(ENV)/.lungsynth-installed" 2>/dev/null || true

demo: install ## the whole chain on the phantom cohort: minutes on two cores; ends with what to look at
	@$(RUN)
	@printf '\nLook at:\n  results/$(NAME)/report/report.html    the report, opens offline\n  results/$(NAME)/release/              the data set: manifest.csv, lesions.csv, images, masks\n  results/$(NAME)/score/scores.csv      every score with its interval and floor\n  results/$(NAME)/cohort/qc.html        a picture of every scan\n'

resume: install ## go on after a killed run; refused while a run of the study lives
	@$(PYTHON) -m lungsynth.workflow.alive $(OVERLAY)
	@$(RUN)

status: install ## what would run, and why
	@$(RUN) --dry-run --quiet rules

audit: install ## is every result what the ledger says, made by this code, these settings and these packages?
	@$(PYTHON) -m lungsynth.workflow.audit $(OVERLAY)

adopt: install ## results that were copied without their times: nothing that is what the ledger says is made again
	@$(PYTHON) -m lungsynth.workflow.adopt $(OVERLAY)

test: install ## the whole test suite
	@PATH="$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest tests/workflow tests/unit -m "not slurm" --durations=8 $(TOGETHER)

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
