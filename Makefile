# `make search` and `make test` need nothing but Python 3.11 to 3.13; everything else is installed into .venv.
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.docs-installed
BIN := $(VENV)/bin
OLDEST := .venv-oldest

.PHONY: search test test-night test-oldest docs lint lock clean

search: $(INSTALLED)
	$(BIN)/python run_search.py run

# Tests of one file stay in one process: they share what was trained for them.
test: $(INSTALLED) lint
	$(BIN)/python -m pytest -m "not night" -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=10

test-night: $(INSTALLED)
	$(BIN)/python -m pytest -m night --durations=10

# The day's tests with the oldest versions that pyproject.toml allows.
test-oldest: $(INSTALLED)
	$(PYTHON) -m venv $(OLDEST)
	$(BIN)/python tests/oldest_versions.py > $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -r $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(OLDEST)/bin/python -m pytest -m "not night" -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=10

# The pages as a site, in site/. Once its tools are installed, it is built without network.
docs: $(DOCS_INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html; to search in it: python -m http.server -d site"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The stamp is written last: an interrupted installation is done again.
$(INSTALLED): requirements.lock
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(INSTALLED)

$(DOCS_INSTALLED): $(INSTALLED) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[docs]"
	@touch $(DOCS_INSTALLED)

# Exact versions for requirements.lock, from the ranges in pyproject.toml.
lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra onnx --extra parquet --extra ray --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-annotate --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) $(OLDEST) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
