# One command per job. `make up` and `make test` install what they need first.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SYNC := $(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python
PROJECT := $(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
CODE := edge origin shared tests bench

.PHONY: help
help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(UV): requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Refrain needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/run.stamp: $(UV) requirements/local.txt pyproject.toml
	$(SYNC) requirements/local.txt
	$(PROJECT)
	@touch $@

# The tests' lock holds everything that the run's lock holds, at the same versions.
$(VENV)/dev.stamp: $(UV) requirements/dev.txt pyproject.toml
	$(SYNC) requirements/dev.txt
	$(PROJECT)
	@touch $(VENV)/run.stamp $@

.PHONY: setup up
setup: $(VENV)/run.stamp  ## install what `refrain up` needs into .venv
up: setup  ## start Refrain on loopback: http://127.0.0.1:8080
	$(BIN)/refrain up

.PHONY: check test
check: $(VENV)/dev.stamp  ## lint, types, import rules
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
test: check  ## check, then every test
	$(BIN)/pytest

.PHONY: bench
bench: $(VENV)/dev.stamp  ## hit rate, latency, callers of one text, cold start
	$(BIN)/python -m bench.hitrate
	$(BIN)/python -m bench.latency
	$(BIN)/python -m bench.coalesce
	$(BIN)/python -m bench.coldstart

.PHONY: wire lock clean
wire: $(VENV)/dev.stamp  ## generate shared/wire_pb2.py from shared/wire.proto
	$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --mypy_out=. --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy shared/wire.proto

LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: $(UV)  ## lock the requirements anew (make lock UPGRADE=--upgrade for newer versions)
	$(LOCK) $(UPGRADE) --extra local --group dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --extra local --group build -c requirements/dev.txt --no-annotate pyproject.toml -o requirements/local.txt
	$(LOCK) --group build -c requirements/dev.txt --no-annotate pyproject.toml -o requirements/edge.txt
	echo uv | $(LOCK) $(UPGRADE) - -o requirements/uv.txt

clean:  ## remove what the targets above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
