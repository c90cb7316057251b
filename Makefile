# airis: everything goes to $(O); `make help` lists the targets.

O ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
DESTDIR ?=
prefix ?= /usr/local
sysconfdir ?= /etc
SAN ?=
CRASH ?=
GCOV ?=
VERSION := $(shell cat VERSION)

FORMAT ?= clang-format-14
FUZZ_CC ?= clang-14
FUZZ_SECONDS ?= 20

all:
.SECONDARY:
.PHONY: all clean help format check-format deps unit unit-programs lint tidy test-lint fuzz \
	fuzz-programs force docs install uninstall test asan crash test-cluster test-mesh demo deb \
	bench model mutants simulate coverage soak venv

# --- flags ------------------------------------------------------------------------------------
# Hardening after the OpenSSF guide, as far as gcc 12 has it. SAN=1 (address, undefined) and
# SAN=thread replace it; give them a build folder of their own: make SAN=1 O=build/asan.

warnings := -Wall -Wextra -Werror -Wshadow -Wvla -Wformat=2 -Wimplicit-fallthrough \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
language := -std=c11 -D_GNU_SOURCE -Idaemon -ffile-prefix-map=$(CURDIR)=. \
	$(if $(filter 1,$(CRASH)),-DAIRIS_CRASH)

comma := ,

ifeq ($(SAN),)
hardening := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fno-delete-null-pointer-checks -fno-strict-overflow \
	-fno-strict-aliasing -fPIE
hardening_link := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen,-z,separate-code \
	-Wl,--as-needed,--no-copy-dt-needed-entries
ifeq (,$(findstring clang,$(CC)))
hardening += -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
warnings += -Wtrampolines -Wbidi-chars=any
endif
ifeq ($(shell uname -m),x86_64)
hardening += -fcf-protection=full
endif
else
sanitizers := $(if $(filter 1,$(SAN)),address$(comma)undefined,$(SAN))
hardening = -O1 -fsanitize=$(sanitizers) -fno-omit-frame-pointer -fno-sanitize-recover=all
hardening_link = -fsanitize=$(sanitizers) -Wl,--as-needed
endif

# GCOV=1 (make coverage): each line as it is written, and counters in the rooms that decide.
ifeq ($(GCOV),1)
hardening = -O0
hardening_link = --coverage
counted := $(O)/daemon/model/%.o $(O)/daemon/engine/%.o
$(counted): private language += --coverage
endif

CFLAGS ?= -g
all_cflags = $(language) $(warnings) $(hardening) $(CFLAGS)
# LENIENT: more flags that are no reason to compile anything again (tools/mutants.sh).
compile = @echo "  CC    $@"; $(CC) $(all_cflags) $(LENIENT) -MMD -MP -c -o $@ $<
link = @echo "  LINK  $@"; $(CC) $(all_cflags) $(hardening_link) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)

base_libs := -ljansson -lyaml -lm
daemon_libs := $(base_libs) -levent_core -lcurl -lmicrohttpd -lgnutls -lsqlite3 -lssl -lcrypto \
	-lpthread
cli_libs := $(base_libs) -lcurl -lcrypto
sim_libs := $(base_libs) -lmicrohttpd -lgnutls -lpthread

# --- what there is ----------------------------------------------------------------------------

object = $(patsubst %.c,$(O)/%.o,$(1))
base_objects := $(call object,$(wildcard daemon/base/*.c))
roof := $(wildcard daemon/main.c)
daemon_objects := $(call object,$(filter-out daemon/main.c,$(wildcard daemon/*/*.c daemon/*.c)))
cli_objects := $(call object,$(wildcard cli/*.c cli/*/*.c))
docs_objects := $(call object,$(wildcard tools/docs/*.c))
sim_objects := $(call object,$(wildcard tests/sim/*.c))
model_objects := $(call object,$(wildcard tests/model/*.c))
simulate_objects := $(call object,$(wildcard tests/simulation/*.c))
# In tests/unit, what is no test_*.c is help for the tests.
unit_help := $(call object,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
unit_tests := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c))
fuzz_targets := $(patsubst %.c,$(O)/fuzz/%,$(notdir $(wildcard tests/fuzz/fuzz_*.c)))
benches := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/bench_*.c))
migrations := $(sort $(wildcard migrations/[0-9]*.sql))
# With CRASH=1 (base/failpoint.h) there is a version of the schema more, to migrate to.
ifeq ($(CRASH),1)
later := $(shell printf 'gen/%04d_later.sql' $$(($(words $(migrations)) + 1)))
migrations += $(O)/$(later)
endif
ifneq ($(migrations),)
daemon_objects += $(O)/gen/migrations.o
endif

programs := $(if $(roof),$(O)/airisd) $(if $(cli_objects),$(O)/airisctl) \
	$(if $(sim_objects),$(O)/airis-sim)

all: $(programs) $(O)/libairis.a

help:
	@echo "make [all]         $(notdir $(programs)) in $(O)/ (O=folder, SAN=1, SAN=thread)"
	@echo "make unit          unit tests"
	@echo "make model         every state of converge in small worlds; MODEL=full: larger ones"
	@echo "make mutants       planted bugs in a copy of the tree: is each found?"
	@echo "make simulate      the engine in SEEDS=$(SEEDS) simulated worlds; SIMULATE='--from N ...'"
	@echo "make coverage      lines and branches of model/ and engine/ that tests reach; needs gcovr"
	@echo "make lint          floors, sizes, banned functions, format, cppcheck"
	@echo "make tidy          clang-tidy; make test-lint: does the linter find what it should?"
	@echo "make fuzz          every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make format        apply the formatter; check-format only looks"
	@echo "make deps          install the Debian packages this needs; venv: programs of PyPI that"
	@echo "                   a test runs, in $(O)/venv (make test does it)"
	@echo "make test          deps, build, unit, e2e; closes with: N passed, N failed"
	@echo "make asan          unit and e2e under ASan and UBSan, in $(O)/asan"
	@echo "make crash         airisd killed at each of its failpoints, in every scenario, in twenty"
	@echo "                   minutes; CRASH=short: each once. POINTS='NAME...': these alone"
	@echo "make test-cluster  against a real control plane (kubelab, or KUBECONFIG)"
	@echo "make test-mesh     against real istiod and Envoy (meshlab; needs root and ip)"
	@echo "make demo          a simulated cluster, two releases, in about a minute"
	@echo "make bench         how fast, how small: decisions, the store, a fleet; BENCH=full: all"
	@echo "make soak          does airisd stay flat over ROLLOUTS=$(ROLLOUTS) rollouts?"
	@echo "make docs          write man pages and the sample of the settings anew"
	@echo "make install       DESTDIR, prefix ($(prefix)), sysconfdir ($(sysconfdir)); uninstall"
	@echo "make deb           a Debian package of what install puts in place, in $(O)/"
	@echo "make clean         remove $(O)/"

# --- rules ------------------------------------------------------------------------------------

# Compiles everything again when the flags have changed.
$(O)/flags: force
	@mkdir -p $(O)
	@echo '$(CC) $(all_cflags)' | cmp -s - $@ || echo '$(CC) $(all_cflags)' > $@

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(compile)

$(O)/daemon/base/version.o: private language += -DAIRIS_VERSION='"$(VERSION)"'
$(O)/daemon/base/version.o: VERSION

$(O)/gen/%_later.sql: tests/crash/later.sql
	@mkdir -p $(@D)
	@cp $< $@

$(O)/gen/migrations.c: $(migrations) tools/embed-migrations.sh
	@mkdir -p $(@D)
	tools/embed-migrations.sh $(migrations) > $@.new
	@mv $@.new $@

$(O)/gen/migrations.o: $(O)/gen/migrations.c $(O)/flags
	$(compile)

# Archives, so that a program takes in only the objects it uses.
$(O)/libbase.a: $(base_objects)
$(O)/libairis.a: $(daemon_objects)
$(O)/libunit.a: $(unit_help)
$(O)/%.a:
	@rm -f $@
	@ar rcsD $@ $^

$(O)/airisd: $(call object,$(roof)) $(O)/libairis.a
	$(link) $(daemon_libs)

$(cli_objects): private language += -Icli

$(O)/airisctl: $(cli_objects) $(O)/libbase.a
	$(link) $(cli_libs)

$(docs_objects): private language += -Itools/docs

# Writes the reference pages and the sample from the tables of keys.
$(O)/airis-docs: $(docs_objects) $(O)/libairis.a
	$(link) $(daemon_libs)

$(O)/airis-sim: $(sim_objects) $(O)/libbase.a
	$(link) $(sim_libs)

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libunit.a $(O)/libairis.a
	$(link) $(daemon_libs) -lcmocka

# The store's thread has no thread there: tests/simulation/turns.h.
$(simulate_objects): private language += -Itests/unit

$(O)/simulate: $(simulate_objects) $(O)/libairis.a
	@echo "  LINK  $@"; $(CC) $(all_cflags) $(hardening_link) $(LDFLAGS) $(simulate_wrap) -o $@ \
		$(filter %.o %.a,$^) $(daemon_libs)

simulate_wrap := $(foreach call,create join setname_np cond_wait cond_timedwait, \
	-Wl$(comma)--wrap=pthread_$(call))

SEEDS ?= 10000

simulate: $(O)/simulate
	@$(O)/simulate --seeds $(SEEDS) --kept tests/simulation/kept $(SIMULATE)

unit-programs: $(unit_tests)

$(O)/model-check: $(model_objects) $(O)/libairis.a
	$(link) $(daemon_libs)

# All reachable states of small worlds. MODEL=full: larger ones, for minutes and some GB.
model: $(O)/model-check
	@$(O)/model-check $(if $(filter full,$(MODEL)),--full)

# Are the checks blind? Planted bugs, each must be found.
mutants: unit-programs $(O)/model-check $(O)/simulate
	@tools/mutants.sh $(O)

# What of the decisions do the tests reach? COVERAGE=full: e2e too. Needs gcovr.
coverage:
	@$(MAKE) --no-print-directory -s GCOV=1 O=$(O)/coverage unit-programs \
		$(O)/coverage/model-check $(O)/coverage/simulate $(if $(filter full,$(COVERAGE)),all)
	@nice tools/coverage.sh $(O)/coverage

unit: $(unit_tests)
	@tools/run-unit.sh $(unit_tests)

clean:
	rm -rf $(O)

# --- looking after the code -------------------------------------------------------------------

sources = $(shell git ls-files -co --exclude-standard '*.c' '*.h')

format:
	$(FORMAT) -i $(sources)

check-format:
	@for file in $(sources); do $(FORMAT) $$file | cmp -s - $$file || \
		{ echo "  $$file: run make format"; failed=1; }; done; [ -z "$$failed" ]

# Looks at the object files too, so it builds them first.
lint: $(daemon_objects) $(cli_objects) $(call object,$(roof)) $(O)/airis-docs $(O)/airisd
	@tools/lint/lint.sh $(O)

# Slower than lint: about a second for each file.
tidy:
	@for file in $(wildcard daemon/*.c daemon/*/*.c cli/*.c cli/*/*.c); do \
		clang-tidy-14 --quiet $$file -- $(language) -Icli 2>/dev/null || failed=1; \
	done; [ -z "$$failed" ]

test-lint:
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/lint

# Each target is one tests/fuzz/fuzz_X.c, together with what it uses of the programs, built with
# clang. What is no fuzz_*.c there is help for the targets. Locals start as 0xaa.., so that what is
# read before it was written shows. Seeds: tests/fuzz/corpus/X/; what is found new goes to
# $(O)/fuzz/corpus/X/.
fuzz_flags = $(language) -g -O1 -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow \
	-fno-sanitize-recover=all -fno-omit-frame-pointer -ftrivial-auto-var-init=pattern
# Without the rooms that read nothing of others.
fuzz_daemon := $(patsubst $(O)/%.o,$(O)/fuzz/%.o,$(filter-out $(O)/gen/% $(O)/daemon/wire% \
	$(foreach room,gates store telemetry,$(O)/daemon/$(room)/%),$(daemon_objects)))
fuzz_cli := $(patsubst $(O)/%.o,$(O)/fuzz/%.o,$(filter-out $(O)/cli/main.o,$(cli_objects)))
fuzz_help := $(patsubst %.c,$(O)/fuzz/%.o,$(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c)))

$(O)/fuzz/flags: force
	@mkdir -p $(@D)
	@echo '$(FUZZ_CC) $(fuzz_flags)' | cmp -s - $@ || echo '$(FUZZ_CC) $(fuzz_flags)' > $@

$(O)/fuzz/%.o: %.c $(O)/fuzz/flags
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"; $(FUZZ_CC) $(fuzz_flags) -MMD -MP -c -o $@ $<

$(O)/fuzz/libairis.a: $(fuzz_daemon)
$(O)/fuzz/libcli.a: $(fuzz_cli)
$(O)/fuzz/libhelp.a: $(fuzz_help)

# Of airisctl; it has names of its own for what airisd has, too.
fuzz_of_cli := $(O)/fuzz/fuzz_args $(O)/fuzz/fuzz_sse $(O)/fuzz/fuzz_show
$(fuzz_of_cli): $(O)/fuzz/libcli.a
$(fuzz_cli) $(fuzz_of_cli:$(O)/fuzz/%=$(O)/fuzz/tests/fuzz/%.o): private language += -Icli

$(O)/fuzz/fuzz_%: $(O)/fuzz/tests/fuzz/fuzz_%.o $(O)/fuzz/libhelp.a $(O)/fuzz/libairis.a
	@echo "  LINK  $@"; $(FUZZ_CC) $(fuzz_flags) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(daemon_libs)

fuzz-programs: $(fuzz_targets)

fuzz: $(fuzz_targets)
	@tools/run-fuzz.sh $(FUZZ_SECONDS) $(O)/fuzz/corpus $(fuzz_targets)

deps:
	@tools/deps.sh

# Programs of PyPI that tests/e2e/test_openapi.py runs, of the versions in the file; airis itself
# needs none. Made anew when the file changes.
venv:
	@tools/venv.sh $(O)/venv tests/e2e/openapi/requirements.txt

# --- testing all, showing all -----------------------------------------------------------------

# tools/test-all.sh keeps what each part did in $(O)/results and adds it up.
test: deps
	@+tools/test-all.sh test $(O)

asan: deps
	@+tools/test-all.sh asan $(O)

# With programs of its own, built with CRASH=1: daemon/base/failpoint.c has the table.
crash: deps
	@$(MAKE) --no-print-directory -s CRASH= all
	@$(MAKE) --no-print-directory -s CRASH=1 O=$(O)/crash $(O)/crash/airisd
	@AIRIS_BUILD=$(O) /usr/bin/python3 -B tests/crash/crash.py \
		$(or $(POINTS),$(filter short long cluster,$(CRASH)))

test-cluster: deps
	@+tools/test-all.sh cluster $(O)

test-mesh: deps
	@+tools/test-mesh.sh $(O)

demo: deps
	@$(MAKE) --no-print-directory -s all
	@O=$(O) exec /usr/bin/python3 -B tools/demo.py

$(O)/tests/bench/%: $(O)/tests/bench/%.o $(O)/libairis.a
	$(link) $(daemon_libs)

# BENCH=full: all of it, with a thousand apps; about twenty minutes.
bench: $(benches) $(programs)
	@for bench in $(benches); do echo "$$bench:"; $$bench $(O) || exit 1; done
	@AIRIS_BUILD=$(O) /usr/bin/python3 -B tests/bench/bench_api.py
	@AIRIS_BUILD=$(O) /usr/bin/python3 -B tests/bench/bench_fleet.py

ROLLOUTS ?= 100000

# Memory and descriptors over so many rollouts, fifty a second; the short form is in make test.
soak: $(programs)
	@AIRIS_BUILD=$(O) /usr/bin/python3 -B tests/bench/soak.py --rollouts $(ROLLOUTS) --warm 2000

# --- documents and installing -----------------------------------------------------------------

docs: $(O)/airis-docs $(programs)
	@tools/docs.sh $(O) .

bindir := $(prefix)/bin
to := $(DESTDIR)$(prefix)
unit_folder := $(to)/lib/systemd/system
place = sed -e 's|/usr/local/bin|$(bindir)|g' -e 's|/etc/airis|$(sysconfdir)/airis|g'

# What is installed below $(prefix); uninstall takes away just this.
installed := bin/airisd bin/airisctl lib/systemd/system/airisd.service \
	lib/systemd/system/airisd.socket lib/systemd/system/airisd-backup.service \
	lib/systemd/system/airisd-backup.timer lib/sysusers.d/airis.conf \
	lib/tmpfiles.d/airis.conf $(foreach page,$(notdir $(wildcard docs/man/*.[1-9])), \
	share/man/man$(subst .,,$(suffix $(page)))/$(page)) \
	share/bash-completion/completions/airisctl share/zsh/site-functions/_airisctl \
	share/doc/airis

install: all
	install -D -t $(DESTDIR)$(bindir) $(O)/airisd $(O)/airisctl
	@mkdir -p $(unit_folder) $(to)/lib/sysusers.d $(to)/lib/tmpfiles.d
	$(place) systemd/airisd.service > $(unit_folder)/airisd.service
	$(place) systemd/airisd-backup.service > $(unit_folder)/airisd-backup.service
	install -m 644 -t $(unit_folder) systemd/airisd.socket systemd/airisd-backup.timer
	install -m 644 systemd/airis.sysusers.conf $(to)/lib/sysusers.d/airis.conf
	$(place) systemd/airis.tmpfiles.conf > $(to)/lib/tmpfiles.d/airis.conf
	@for page in docs/man/*.[1-9]; do \
		install -D -m 644 -t $(to)/share/man/man$${page##*.} $$page || exit 1; done
	@mkdir -p $(to)/share/bash-completion/completions $(to)/share/zsh/site-functions
	$(O)/airisctl completion bash > $(to)/share/bash-completion/completions/airisctl
	$(O)/airisctl completion zsh > $(to)/share/zsh/site-functions/_airisctl
	install -D -m 644 -t $(to)/share/doc/airis README.md config/airisd.yaml config/rbac.yaml \
		systemd/exec-plugins.conf config/prometheus/airis.rules.yaml config/grafana/airis.json
	install -D -m 644 -t $(to)/share/doc/airis/apps config/apps/*.yaml
	@if [ -e $(DESTDIR)$(sysconfdir)/airis/airisd.yaml ]; then \
		echo "$(sysconfdir)/airis/airisd.yaml is there and stays as it is"; \
	else \
		install -D -m 640 config/airisd.yaml $(DESTDIR)$(sysconfdir)/airis/airisd.yaml; fi
	@[ -n "$(DESTDIR)" ] || printf '%s\n' "Next, as root:" "  systemd-sysusers" \
		"  systemd-tmpfiles --create" "  systemctl daemon-reload" \
		"  systemctl enable --now airisd"

uninstall:
	cd $(to) && rm -rf $(installed)
	@echo "left: $(sysconfdir)/airis and /var/lib/airis (settings and database), user airis"

# Of the programs as they are released: none that is slow, or that can be told to die.
ifneq (,$(and $(filter deb,$(MAKECMDGOALS)),$(SAN)$(filter 1,$(CRASH) $(GCOV))))
$(error make deb goes without SAN, CRASH and GCOV)
endif

deb: all
	@+tools/deb/build.sh $(O)

-include $(shell find $(O) -type f -name '*.d' 2>/dev/null)
