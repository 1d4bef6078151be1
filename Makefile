# The course's commands. Each does everything it needs, on a machine that has Python 3.11, 3.12 or 3.13 (with venv), git
# and make:
#   make lab      make the environment and open JupyterLab on the welcome page; LAB="--port 9999 --no-browser" hands
#                 options to JupyterLab
#   make test     make it, run the tests and execute every notebook as a test
#   make check    the slower proofs: lint, grading, the pages, Colab, and the notebooks on JAX (with TORCH=1 on PyTorch)
#                 that have changed since they were recorded, in MINUTES=10; ALL=1 runs all of them, and all of the
#                 student edition
#   make site     build the course as web pages in build/site
#   make book     print the core of all chapters as build/core.pdf (needs Chromium)
#   make env      make the environment only; `make env TORCH=1` brings PyTorch, which is large; TEACH=1 what grading
#                 and the pages need; CLUSTER=1 Dask, for `coursekit run --dask`
#   make lock     renew constraints.txt
#   make clean    remove the environment and what was built

VENV  := .venv
PY    := $(VENV)/bin/python
comma := ,
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# A marker stands for "installed in this very folder": after a rename or a copy the environment is put right first.
HERE   := $(shell printf '%s' "$(CURDIR)" | cksum | cut -d' ' -f1)
EXTRAS := course$(if $(TORCH),$(comma)torch)$(if $(TEACH),$(comma)teach)$(if $(CLUSTER),$(comma)cluster)
ENVIRONMENT := coursekit/authoring/environment.py
MARKER := $(VENV)/installed-$(HERE)-$(subst $(comma),-,$(EXTRAS))
# Which notebooks `make check` runs on the other backends. The records of the first are to be committed.
MINUTES ?= 10
WHICH  := $(if $(ALL),--again --results build/results,--stale --minutes $(MINUTES))
WELCOME := --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/00_welcome.ipynb
# JupyterLab asks nobody about news and looks for no updates: the course needs no network.
SETTINGS := {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}

.PHONY: lab test check site book env lock clean python

lab: env
	@$(PY) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(WELCOME) $(LAB)

# Two processes, each with whole files: a notebook's cells need one kernel.
test: env
	$(PY) -m pytest -m "not slow" -n 2 --dist loadscope

check:
	@$(MAKE) --no-print-directory env TEACH=1 CLUSTER=1
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m coursekit lint
	$(PY) -m coursekit index --check
	$(PY) -m coursekit doctor
	$(PY) -m pytest -m slow tests -n 2 --dist loadscope
	rm -rf build/students && $(PY) -m coursekit release build/students $(if $(ALL),,--no-run)
	$(PY) -m coursekit run $(WHICH) --backends jax $(if $(TORCH),torch)

site:
	@$(MAKE) --no-print-directory env TEACH=1
	$(PY) -m coursekit site build/site

book:
	@$(MAKE) --no-print-directory env TEACH=1
	$(PY) -m coursekit book build/core.pdf

env: python $(MARKER)

# An environment whose Python has gone (an upgrade, another machine) is made anew.
python:
	@$(PY) -c "" 2>/dev/null || rm -rf $(VENV)

$(MARKER): pyproject.toml constraints.txt
	@$(PY) -c "" 2>/dev/null || { \
	  for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if $$python -c "$(SUITABLE)" 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "The course needs Python 3.11, 3.12 or 3.13 with the module venv, and found none." >&2; \
	    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making the environment in $(VENV) with $$($$found --version)"; $$found -m venv $(VENV); }
	@$(PY) $(ENVIRONMENT) settle
	@$(PY) $(ENVIRONMENT) intact $(EXTRAS) || { \
	  echo "Installing the packages in the versions of constraints.txt: a few minutes, the first time"; \
	  unset PIP_TARGET PIP_PREFIX PIP_ROOT; \
	  PIP_USER=0 $(PY) -m pip install --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]" || { \
	    echo "pip could not install what is missing. Is there a network? What pip said stands above." >&2; exit 1; }; }
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@printf '%s\n' '$(SETTINGS)' > $(VENV)/share/jupyter/lab/settings/overrides.json
	@find $(VENV) -maxdepth 1 -name 'installed-*' ! -name 'installed-$(HERE)*' -delete
	@touch $(VENV)/installed-$(HERE)-course "$@"

lock: env
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(PY) -m uv pip compile pyproject.toml --universal --python-version 3.11 --extra course --extra torch --extra teach --extra cluster \
	  --upgrade --quiet --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" -o constraints.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
