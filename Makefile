# What a developer runs by hand. The gate, .ci/run, calls lint, race and fuzz from here.
#
#   make fuzz FUZZ_TIME=100000x FUZZ=FuzzRoom     make bench BENCH=FanOut BENCH_TIME=5s

LINT_VERSION := v2.15.0
LINT := $(shell go env GOPATH)/bin/golangci-lint

# So many inputs for each target. A duration works too, but when it ends, Go 1.26 may call that a failure
# (golang/go#75804).
FUZZ_TIME ?= 5000x
# Which targets and benchmarks: grep patterns, regular expressions of go test.
FUZZ ?= ^Fuzz
BENCH ?= .
BENCH_TIME ?= 1s
# Further flags of go test, for test, race and bench.
FLAGS ?=

# The pure machines have no goroutine to race, and searching them again would take minutes. Pages and real processes
# would only be slower.
NOT_RACED := /(internal/(exchange|negotiate|ownership|pairtest|endurance)|browser|examples/browser-server)$$

.PHONY: test js race fuzz api lint lint-install bench

# Everything, noom.js included; without Chromium the browser tests are skipped.
test:
	go test -shuffle=on $(FLAGS) ./...

# The pure parts of noom.js and of its page alone.
js:
	node --test browser/test/ examples/browser-server/page/test/

race:
	go test -race -shuffle=on -short -timeout 20m $(FLAGS) $$(go list ./... | grep -v -E '$(NOT_RACED)')

# Every fuzz target that there is, one after the other.
fuzz:
	@set -e; \
	for package in $$(grep -rl --include='*_test.go' --exclude-dir=bench '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | cut -c 6- | grep -E '$(FUZZ)'); do \
	    echo "$$package $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 20x $$package; \
	  done; \
	done

lint: lint-install
	for module in . bench internal/acmetest; do (cd $$module && go mod tidy -diff && $(LINT) run --allow-serial-runners ./...) || exit 1; done

# What the public packages export, as testdata/api.txt, after a change of it.
api:
	go test -count=1 -run '^TestAPI$$' ./internal/repotest -update

# The pinned version, if there is another one or none.
lint-install:
	@$(LINT) version 2>/dev/null | grep -q '$(LINT_VERSION:v%=%)' || \
	  go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# The benchmarks in the code. `go run -C bench .` measures the hub alongside other servers.
bench:
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCH_TIME) -benchmem $(FLAGS) \
	  $$(grep -rl --include='*_test.go' --exclude-dir=bench '^func Benchmark' . | xargs -n 1 dirname | sort -u)
