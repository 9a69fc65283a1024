# The course in a few words: `make` lists them. Each target makes .venv by itself.

PYTHON ?= python3
WORKERS ?= 2
.DEFAULT_GOAL := help
.PHONY: help setup lab test bench notebooks clean

READY := .venv/.ready
GOALS := $(or $(MAKECMDGOALS),setup)

help:  ## say what there is
	@echo "make TARGET   (from elsewhere: make -C FOLDER TARGET)"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' Makefile | awk '{t=$$1; $$1=""; printf "  %-10s%s\n", t, $$0}'
	@echo "PYTHON=python3.12 chooses the interpreter of a new .venv (3.10 or newer; here $(PYTHON))."
	@echo "WORKERS=8 runs the tests in so many processes (here $(WORKERS))."

setup: $(READY)  ## make .venv and install the course into it

lab: $(READY)  ## open the course in JupyterLab
	.venv/bin/python -m t2ilab lab

# Tests and notebooks share pictures that are drawn once, in a folder that goes away afterwards.
# One thread a process: two cores are busy with two processes.
test: $(READY)  ## all that CI runs: ruff, the tests, every notebook in its smoke profile
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check --quiet
	@made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && \
	export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE T2ILAB_CACHE="$${T2ILAB_CACHE:-$$made/cache}" && \
	.venv/bin/python -m pytest -n $(WORKERS) --dist loadscope && \
	if ls notebooks/*.ipynb > /dev/null 2>&1; then \
	  T2ILAB_PROFILE=smoke T2ILAB_RUNS="$$made/runs" .venv/bin/python -m pytest \
	    -n $(WORKERS) --dist loadscope --nbval-lax --nbval-current-env \
	    --nbval-cell-timeout=300 notebooks/; \
	else echo "no notebooks yet"; fi

bench: $(READY)  ## measure the speeds, into bench.json
	.venv/bin/python -m bench

notebooks: $(READY)  ## execute all notebooks in their laptop profile and save them
	.venv/bin/python -m t2ilab.runs.refresh

clean:  ## remove .venv and what tools left behind (runs/ stays)
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis *.egg-info bench.json
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(READY): requirements.txt constraints.txt pyproject.toml
	@command -v "$(PYTHON)" > /dev/null || { \
	  echo "There is no '$(PYTHON)' here. Name a Python 3.10 or newer:" \
	    "make $(GOALS) PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "'$(PYTHON)' is $$("$(PYTHON)" --version 2>&1); the course needs Python 3.10 or newer:" \
	    "make $(GOALS) PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "'$(PYTHON)' lacks the module venv. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@.venv/bin/python -c '' 2> /dev/null || "$(PYTHON)" -m venv --clear .venv
	@echo "Installing into .venv: about 5 GB, most of it PyTorch; some minutes."
	@.venv/bin/python -m pip install --disable-pip-version-check $$([ -t 2 ] || echo --quiet) \
	  -r requirements.txt -c constraints.txt
	@.venv/bin/python -m ipykernel install --sys-prefix --env OMP_WAIT_POLICY PASSIVE > /dev/null 2>&1
	@touch $@
