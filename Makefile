# Every target sets up what it needs; a second run reuses it until pyproject.toml or the pinned
# versions change. Other interpreter: make PYTHON=python3.12 test. More for a command: ARGS="...".
PYTHON ?= python3
VENV ?= .venv
VENV5 ?= .venv-v5
WORKERS ?= 2
ARGS ?=

# Linux without an NVIDIA driver: PyTorch's CPU builds spare gigabytes of CUDA libraries. Where
# that index can't be reached pip goes on with its usual one. TORCH_INDEX= turns this off.
TORCH_INDEX ?= $(shell if [ "`uname -s`" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; \
	then echo https://download.pytorch.org/whl/cpu; fi)
PIP_TORCH = -m pip install --no-deps --retries 0 --timeout 15 $(TORCH_INDEX:%=--extra-index-url %)

# Many threads in each of several workers stall each other; tests never reach for the network.
TEST_ENV = OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1

DEMO_EXTRAS = adapters,peft,demo
DEV_EXTRAS = all,dev,docs
# as `all`, without adapters, which can't be imported under transformers 5
V5_EXTRAS = peft,data,kg,faiss,retrieval,sentence-transformers,serve,demo,dev

.PHONY: help quickstart lint test test-v5 examples docs package benchmarks clean clean-venvs

help:
	@echo "make quickstart  set up, train three small modules and show what they gained (no network after set-up)"
	@echo "make lint        set up, then ruff and mypy"
	@echo "make test        set up, then ruff, mypy and the tests (transformers 4.57, adapters, peft)"
	@echo "make test-v5     the tests again under transformers 5 without adapters, in $(VENV5)"
	@echo "make examples    run every script and notebook of examples/ with quick settings"
	@echo "make docs        build the documentation into build/site; a dead link is an error"
	@echo "make package     build the wheel and the source archive into dist/, and check them"
	@echo "make benchmarks  where the measured claims and their scripts are"
	@echo "make clean       remove build products and caches; make clean-venvs: the environments"

quickstart: $(VENV)/.stamp-demo
	$(VENV)/bin/xadapt quickstart $(ARGS)

lint: $(VENV)/.stamp-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: lint
	$(TEST_ENV) $(VENV)/bin/python -m pytest -n $(WORKERS) $(ARGS)

test-v5: $(VENV5)/.stamp-dev
	$(TEST_ENV) $(VENV5)/bin/python -m pytest -n $(WORKERS) $(ARGS)

examples: $(VENV)/.stamp-dev
	@for script in examples/*.py; do \
		if [ ! -f "$$script" ]; then echo "no scripts in examples/"; exit 0; fi; \
		echo "$$script --quick"; \
		HF_HUB_OFFLINE=1 $(VENV)/bin/python "$$script" --quick || exit 1; \
	done
	XADAPT_QUICK=1 $(TEST_ENV) $(VENV)/bin/python -m pytest --nbmake examples/notebooks $(ARGS)

docs: $(VENV)/.stamp-dev
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict $(ARGS)

package: $(VENV)/.stamp-dev
	rm -rf build/lib dist
	$(VENV)/bin/python -m build
	$(VENV)/bin/twine check --strict dist/*
	$(VENV)/bin/check-wheel-contents dist/*.whl

benchmarks:
	@echo "results: examples/benchmarks/RESULTS.md, each table under the command that made it"
	@echo "scripts, after make test has made $(VENV): $(VENV)/bin/python SCRIPT --help"
	@grep -l '__main__' examples/benchmarks/*.py 2>/dev/null || echo "  none yet"

$(VENV)/.stamp-venv $(VENV5)/.stamp-venv:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "No $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "xadapt needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) -V 2>&1`." \
			"Name a newer one: make PYTHON=python3.12" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(@D)
	@touch $@

# A virtual environment's own stamp is order-only: it says "created", its age means nothing.
$(VENV)/.stamp-demo: pyproject.toml setup.py constraints.txt | $(VENV)/.stamp-venv
	$(@D)/bin/python $(PIP_TORCH) -c constraints.txt torch || true
	$(@D)/bin/python -m pip install -c constraints.txt -e ".[$(DEMO_EXTRAS)]"
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml setup.py constraints.txt | $(VENV)/.stamp-venv
	$(@D)/bin/python $(PIP_TORCH) -c constraints.txt torch || true
	$(@D)/bin/python -m pip install -c constraints.txt -e ".[$(DEV_EXTRAS)]"
	@touch $@

$(VENV5)/.stamp-dev: pyproject.toml setup.py constraints-v5.txt | $(VENV5)/.stamp-venv
	$(@D)/bin/python $(PIP_TORCH) -c constraints-v5.txt torch || true
	$(@D)/bin/python -m pip install -c constraints-v5.txt -e ".[$(V5_EXTRAS)]"
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find xadapt tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

clean-venvs:
	rm -rf $(VENV) $(VENV5)
