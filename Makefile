# Everything a newcomer, a developer and CI call. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := schema resolvers domain db engine server counterfoil plugins
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadgroup
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport PYTHONDONTWRITEBYTECODE # else every process that is started compiles all of this anew

.DEFAULT_GOAL := help
.PHONY: help install demo serve journey test test-graphql-core torture bench fuzz check format schema access-matrix lock migration clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

install: $(VENV)/installed ## the locked dependencies, into .venv

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python -a -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the dependencies (once) …"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## the demo shop on port 8000, with everything that it needs
	@exec $(BIN)/counterfoil demo

serve: install ## the API on port 8000, over DATABASE_URL or the embedded PostgreSQL
	@exec $(BIN)/counterfoil serve

journey: install ## walks a whole order through a running `make demo`
	@$(BIN)/python -m tests.journey

test: install ## all tests; nothing needs to be installed or running
	@$(PYTEST)

test-graphql-core: install ## the same without the engine: graphql-core executes (not tests/engine, tests/embedded)
	@COUNTERFOIL_ENGINE=graphql-core $(PYTEST) --ignore=tests/engine --ignore=tests/embedded

torture: install ## kills all that takes part in checkouts, 100 times and at each failpoint (ARGS="--kills 10")
	@$(BIN)/python -m tests.torture $(ARGS)

fuzz: install ## compares both executors on 20,000 generated operations
	@FUZZ_EXAMPLES=20000 $(PYTEST) -vv tests/engine/test_equality.py tests/engine/test_odd_fuzz.py

bench: install ## measures everything on this machine, in about three minutes (ARGS="--products 10000")
	@$(BIN)/python -m bench $(ARGS)

check: install ## format, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

format: install ## writes the format and the fixes that ruff knows
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

schema: install ## prints the GraphQL contract into schema/
	@$(BIN)/counterfoil schema print > schema/schema.graphql
	@$(BIN)/counterfoil schema print --storefront > schema/storefront.graphql

access-matrix: install ## tries anew who gets what of every field, into tests/access_matrix.csv: look at what differs
	@ACCESS_MATRIX=write $(BIN)/python -m pytest tests/test_access_matrix.py

lock: ## resolves the dependencies anew (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header \
		--quiet -o requirements.lock

clean: ## removes .venv and the embedded database
	@rm -rf $(VENV) .counterfoil
