# Every target sets itself up in this folder first (tools/bootstrap.sh); a second run costs nothing.
.PHONY: help demo test test-slow check fix bench docs lock clean
ARGS ?=

help:            ## this list
	@sed -n 's/^\([a-z-]*\): *[a-z ]*## /\1\t/p' $(MAKEFILE_LIST)

demo:            ## hub, four hospitals, the regulator's witness, one study (ARGS=--exit to end by itself)
	@tools/bootstrap.sh core
	@tools/xinglin demo $(ARGS)

test:            ## every fast test
	@tools/bootstrap.sh core test
	@tools/python -m pytest -m "not slow" $(ARGS)

test-slow:       ## real processes, faults, attacks
	@tools/bootstrap.sh core test
	@tools/python -m pytest -m slow $(ARGS)

check:           ## ruff, mypy, floors
	@tools/bootstrap.sh core test lint
	@tools/python -m ruff check src tests tools bench
	@tools/python -m ruff format --check src tests tools bench
	@tools/python -m mypy
	@tools/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

fix:             ## format, and mend what ruff can
	@tools/bootstrap.sh lint
	@tools/python -m ruff check --fix src tests tools bench
	@tools/python -m ruff format src tests tools bench

bench:           ## measure, and write BENCHMARKS.md
	@tools/bootstrap.sh core test
	@tools/python -m bench $(ARGS)

docs:            ## write docs/reference from the code
	@tools/bootstrap.sh core
	@tools/python tools/docs.py

lock:            ## rewrite requirements/*.txt (needs uv; ARGS=--upgrade for the newest versions)
	@tools/lock.sh $(ARGS)

clean:           ## remove what the set-up and the tests left here
	rm -rf .venv .site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache demo-space
