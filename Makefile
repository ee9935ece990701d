.PHONY: help build run test test-pg lint fuzz bench generate check

help: ## Show the targets.
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## Build bin/narthex.
	CGO_ENABLED=0 go build -trimpath -o bin/narthex ./cmd/narthex

run: ## Run a server for trying things out, in ./narthex-data.
	go run ./cmd/narthex serve --dev

test: ## Test over SQLite.
	NARTHEX_TEST_DATABASE=sqlite go test ./...

test-pg: ## Test over PostgreSQL, which has to be installed but not running.
	CI=true NARTHEX_TEST_DATABASE=postgres go test ./...

lint: ## Check the style; more of it where golangci-lint 2 is installed.
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: its part is left out"; fi

fuzz: ## Run each fuzz target for a minute (FUZZTIME=60s).
	.ci/fuzz

bench: ## Measure the pure functions, ten times each, for benchstat.
	@go test -run='^$$' -bench=. -benchtime=100ms -count=10 ./internal/canonicaljson ./internal/event ./internal/authrules
	@NARTHEX_TEST_DATABASE=sqlite go test -run='^$$' -bench='Evaluate|NewView' -benchtime=100ms -count=10 ./internal/push

generate: ## Write the references in docs/reference from the code.
	go run ./cmd/narthex docs

check: ## All that a change must pass.
	.ci/run
