# A menu. The build itself is Meson's; what each entry needs is installed by tools/setup.sh.

.DEFAULT_GOAL := help
.PHONY: help demo release asan lint unit e2e test bench bench-check fuzz cross format manual reference install clean

RELEASE = build/release
ASAN    = build/asan
PROGRAMS = src/proxy/pomerium src/cli/pomerium-cli
PREFIX ?= /usr/local
DESTDIR ?=

SANITIZER_OPTIONS = ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

help:
	@echo 'make demo [ONCE=1]   a protected Redis behind a real login, in one minute; ONCE=1 ends after the check'
	@echo 'make test            everything: style checks, unit tests, replayed fuzz corpora, end-to-end tests'
	@echo 'make unit            unit tests and fuzz corpora, under the address and undefined-behaviour sanitizers'
	@echo 'make e2e             end-to-end tests only (ARGS="-k redis" picks)'
	@echo 'make lint            style checks, formatting included'
	@echo 'make bench           beside Envoy, HAProxy, nginx and others; logins, sessions, policies, reloads; writes bench/RESULTS.md'
	@echo 'make bench-check     counts the instructions of fixed scenarios; fails above 5 % more than bench/instructions.json has'
	@echo 'make fuzz            fuzz every target for SECONDS_EACH=60 seconds'
	@echo 'make cross           unit tests on 32-bit ARM and big-endian s390x, under qemu (ARGS="cli/tunnel" picks)'
	@echo 'make format          clang-format over the sources'
	@echo 'make manual          writes docs/man/pomerium-cli*.1 anew, from the tables of commands and flags'
	@echo 'make reference       writes docs/reference.md anew, from the tables of the settings'
	@echo 'make install         DESTDIR= PREFIX=/usr/local'

demo: release
	@tools/setup.sh demo
	@ONCE=$(ONCE) tools/demo.sh $(RELEASE)

release:
	@tools/setup.sh build
	@tools/build.sh $(RELEASE) --buildtype=release --prefix=$(PREFIX) -- $(PROGRAMS)

asan:
	@tools/setup.sh build
	@tools/build.sh $(ASAN) -Db_sanitize=address,undefined

lint: asan
	@tools/lint.sh $(ASAN) --format

unit: asan
	@$(SANITIZER_OPTIONS) meson test -C $(ASAN) --no-rebuild --print-errorlogs --suite unit --suite fuzz

e2e: asan
	@tools/setup.sh test
	@$(SANITIZER_OPTIONS) tools/e2e.sh $(ASAN) $(ARGS)

# One after the other, whatever -j says; pytest's closing line comes last.
test:
	@tools/setup.sh build test
	@$(MAKE) --no-print-directory asan
	@tools/lint.sh $(ASAN)
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e

bench: release
	@tools/setup.sh bench test
	@tools/build.sh $(RELEASE) -- bench/bench-load bench/bench-server bench/bench-policy bench/bench-preload.so
	@/usr/bin/python3 bench/run.py $(RELEASE) $(ARGS)
	@/usr/bin/python3 bench/run_fairness.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@.venv/bin/python bench/run_locks.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@.venv/bin/python bench/run_soak.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@/usr/bin/python3 bench/run_growth.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@/usr/bin/python3 bench/run_clients.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@.venv/bin/python bench/run_client_start.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@.venv/bin/python bench/run_sessions.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@/usr/bin/python3 bench/run_policy.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@.venv/bin/python bench/run_reload.py $(RELEASE) $(filter --quick --no-write,$(ARGS))
	@.venv/bin/python bench/run_h2.py $(RELEASE) $(filter --quick --no-write,$(ARGS))

bench-check: release
	@tools/setup.sh bench test
	@tools/build.sh $(RELEASE) -- bench/bench-load bench/bench-server bench/bench-policy
	@.venv/bin/python bench/check.py $(RELEASE) $(ARGS)

fuzz:
	@tools/setup.sh build fuzz
	@tools/fuzz.sh $(or $(SECONDS_EACH),60)

cross:
	@tools/setup.sh build cross
	@ARGS="$(ARGS)" tools/cross.sh

format:
	@tools/setup.sh format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

reference: release
	@$(RELEASE)/tools/gen_reference >docs/reference.md

manual: release
	@ninja --quiet -C $(RELEASE) tools/gen_manual
	@tools/check-manual.sh docs/man $(RELEASE)/tools/gen_manual --write

install: release
	@meson configure $(RELEASE) --prefix=$(PREFIX) >/dev/null
	@ninja --quiet -C $(RELEASE) $(PROGRAMS) >/dev/null
	@DESTDIR=$(DESTDIR) meson install --quiet -C $(RELEASE) --no-rebuild

clean:
	@rm -rf build
