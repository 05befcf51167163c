# Everything a newcomer needs; `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRA ?= cpu
WORKERS := -n 2 --dist loadgroup --no-loadscope-reorder
SAMPLE := data/queries/questions.jsonl data/queries/unanswered.jsonl $(addprefix data/raw/, \
	bookings claims customs dangerous-goods \
	demurrage-detention documents faq operations people reefer systems tariffs tickets)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install repro refresh test test-all lint lock deps docs bench clear-sample

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/installed: pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[$(EXTRA),all]'
	@touch $@

install: $(VENV)/installed ## make .venv and install the pinned versions

repro: $(VENV)/installed ## run the pipeline, and show what it found
	@test ! -e data/replies.dvc || python -m argot.llm.share pull
	dvc repro
	@test ! -d data/replies || python -m argot.llm.share push
	argot results

refresh: $(VENV)/installed ## the same model over changed documents: minutes, not hours (FLAGS="--pull --allow-missing")
	@mkdir -p refresh && cp stages/refresh.yaml refresh/dvc.yaml
	dvc repro --single-item $(FLAGS) refresh/dvc.yaml
	argot info --release refresh/models/release

test: $(VENV)/installed ## the fast tests
	python -m pytest $(WORKERS)

test-all: $(VENV)/installed ## the slow suites: servers, browser, kills, fuzz
	python -m pytest -m slow $(WORKERS)

lint: $(VENV)/installed ## ruff, mypy, import rules
	ruff check .
	ruff format --check .
	mypy
	lint-imports

lock: ## pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock
	$(BIN)/python -m tools.numerics > numerics.lock

deps: $(VENV)/installed ## write the stages' imports into dvc.yaml
	python -m tools.deps

docs: $(VENV)/installed ## write params, commands and diagram again; after `make repro` the pictures too
	python -m tools.docs.params
	python -m tools.docs.help
	python -m tools.docs.dag
	@test ! -e reports/index.html || python -m tools.docs.pictures

bench: $(VENV)/installed ## race the peers (SMALL=1: a twentieth, once)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[bench]'
	python -m pytest benchmarks -m '' -s -W default --timeout 7200 $(if $(SMALL),--small,--benchmark-json=reports/benchmarks.json)
	$(if $(SMALL),,python -m benchmarks.table)

clear-sample: ## drop the sample documents and questions, to put your own in their place
	git rm -rq --ignore-unmatch -- $(SAMPLE)
	@mkdir -p data/raw
	@git diff --quiet HEAD -- $(SAMPLE) || git commit -qm "Drop the sample documents" -- $$(git diff --name-only HEAD -- $(SAMPLE))
	@test ! -e params.yaml || { sed -i.old 's/^  name: "Sample: .*/  name: ""/' params.yaml && rm params.yaml.old; }
	@echo "Put documents into data/raw/, then: dvc add data/raw; name them in params.yaml: report.name"
