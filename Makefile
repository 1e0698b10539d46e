# Needs nothing but make and Python >= 3.11: the first `make search` or `make test` builds .venv.
#
#   make PYTHON=/path/to/python3.12 test     with a Python of your choice
#   make VENV=../other-environment test      in another environment
#
# The project may lie under a path with spaces. VENV itself may not contain any: make splits the
# names of targets at spaces. The default, .venv, is relative and so always safe.

VENV ?= .venv
PYTHON ?=
# Files of tests side by side on two cores: fast ones keep them busy, the others often wait for
# processes that they started.
BESIDE := --dist loadfile --no-loadscope-reorder --numprocesses
SEARCH ?= --objective latency,top1

BIN := $(VENV)/bin
REQUIREMENTS := pyproject.toml constraints.txt
# Written last, so an installation that was cut short has no stamp. The stamp holds the project's
# path: an environment is bound to the place it was made in.
RUNTIME := $(VENV)/.archdsl-runtime
DEV := $(VENV)/.archdsl-dev

# An environment that was moved, cut short or whose Python has gone is made anew.
USABLE := $(shell test "$$(cat "$(RUNTIME)" 2>/dev/null)" = "$$(pwd)" \
            && test ! -e "$(VENV)/.archdsl-installing" \
            && "$(BIN)/python" -m pip --version >/dev/null 2>&1 && echo yes)
ifneq ($(USABLE),yes)
STALE := stale
endif

.DEFAULT_GOAL := help
# Where Python keeps nothing of what it compiled, each of the tests' processes compiles it anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help search quick test coverage docs clean stale

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## */  make \1\t/'

search: $(RUNTIME)  ## search for the accuracy/latency Pareto front (SEARCH="..." for other arguments)
	"$(BIN)/archdsl" search $(SEARCH)

quick: $(DEV)  ## run the checks that take two minutes: lint, format, types, architecture, fast tests
	$(STATIC)
	"$(BIN)/python" -m pytest $(BESIDE) 2 -m "not slow and not process"

test: $(DEV)  ## run every check: lint, format, types, architecture, all tests
	$(STATIC)
	"$(BIN)/python" -m pytest $(BESIDE) 2

coverage: $(DEV)  ## run the tests and say which lines none of them reaches; twice as slow
	"$(BIN)/python" -m pytest --cov $(BESIDE) 2

docs: $(DEV)  ## build the documentation into docs/_build
	"$(BIN)/python" -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build
	@echo "open docs/_build/index.html"

clean:  ## remove .venv and everything the tools leave behind; searches and their databases stay
	rm -rf .venv build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache docs/_build docs/generated
	find archdsl tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(RUNTIME): $(REQUIREMENTS) $(STALE)
	$(call install,.,archdsl: installing about 3 GB of PyTorch and friends; a few minutes the first time)

$(DEV): $(REQUIREMENTS) $(STALE)
	$(call install,.[dev],archdsl: installing the tools of the checks beside about 3 GB of PyTorch and friends; a few minutes the first time)

define STATIC
	"$(BIN)/python" -m ruff check .
	"$(BIN)/python" -m ruff format --check .
	"$(BIN)/python" -m mypy
	"$(BIN)/lint-imports" --no-logo
endef

# $(1): what pip installs; $(2): the line that says so.
define install
	@set -e; \
	if [ "$$(cat "$(RUNTIME)" 2>/dev/null)" != "$$(pwd)" ] || [ -e "$(VENV)/.archdsl-installing" ] \
	    || ! "$(BIN)/python" -m pip --version >/dev/null 2>&1; then \
	  $(make_venv); \
	fi; \
	echo "$(2)"; \
	touch "$(VENV)/.archdsl-installing"; \
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '$(1)'; \
	pwd | tee "$(RUNTIME)" > "$@"; \
	rm "$(VENV)/.archdsl-installing"
endef

# The first Python that is new enough; a folder that is no environment is never emptied.
define make_venv
	if [ -d "$(VENV)" ] && [ "$(VENV)" != .venv ] && [ ! -e "$(VENV)/pyvenv.cfg" ] \
	    && [ -n "$$(ls -A "$(VENV)")" ]; then \
	  echo "archdsl: VENV=$(VENV) is a folder with files in it and no environment; name another" >&2; \
	  exit 2; \
	fi; \
	python=; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11 python); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python="$$candidate"; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "archdsl needs Python 3.11 or newer; found: $$("$(or $(PYTHON),python3)" --version 2>&1 | head -n 1)" >&2; \
	  echo "Name one that is new enough: make PYTHON=/path/to/python3.12 ..." >&2; \
	  exit 2; \
	fi; \
	echo "archdsl: making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear "$(VENV)"
endef
