# SPDX-License-Identifier: GPL-3.0-or-later

RELEASE ?= 0.5
SCENARIO ?=
BENCH ?=
LONG ?=
# Ansible does not start in a locale that is not UTF-8.
export LC_ALL := C.UTF-8
PYTEST := .venv/bin/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit lab integration molecule bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## .venv with all tools, and this checkout visible in it as cozeops.studio
	@tests/tools/setup.sh

demo: setup ## a whole stack on this machine, from nothing (RELEASE=0.5)
	@tests/tools/demo.sh $(RELEASE)

test: ## linters, unit tests, lab images, integration tests, Molecule (LONG=all: also those that take long; LONG=60: as many of them as fit in 60 minutes)
	@LONG=$(LONG) tests/tools/test.sh

lint: setup ## yamllint, ruff, mypy, ansible-lint, ansible-test sanity, changelog
	@$(PYTEST) tests/lint

unit: setup ## unit tests
	@$(PYTEST) tests/unit

lab: setup ## a Docker Engine, if none answers, and the lab images
	@.venv/bin/python tests/lab/lab.py engine
	@.venv/bin/python tests/lab/lab.py images

integration: lab ## tests of modules and roles against the Engine
	@$(PYTEST) tests/integration

molecule: lab ## Molecule scenarios (SCENARIO=default for one)
	@$(PYTEST) tests/molecule $(if $(SCENARIO),-k 'test_scenario[$(SCENARIO)]')

bench: lab ## site.yml beside Docker Compose, a docker_container play and the floor (BENCH=--quick for one repeat)
	@.venv/bin/python tests/bench/bench.py $(BENCH)

clean: ## remove what the tools made here; images, containers and stacks stay
	rm -rf .venv build .ansible .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output cozeops-studio-*.tar.gz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
