# Sluice. One non-recursive Makefile: roles and their link sets, tests, checks.
#   make            builds everything below build/
#   make run        starts a gateway on this machine (installs what is missing)
#   make test       all tests; make check the quick part; make ci everything
# BUILD=dir builds elsewhere; CC=clang works too; V=1 shows every command.

BUILD ?= build
Q := $(if $(V),,@)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wconversion -Wsign-conversion -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef
HARDENING := -fstack-protector-strong -fPIE $(if $(findstring -fsanitize,$(EXTRA)),,-D_FORTIFY_SOURCE=2) \
	-fcf-protection
CFLAGS := -std=c17 -D_GNU_SOURCE -O2 -g -I. -I$(BUILD)/gen $(WARNINGS) $(HARDENING) \
	$(if $(findstring -fsanitize,$(EXTRA)),,-Werror) -MMD -MP $(EXTRA)
LDFLAGS := -pie -Wl,-z,relro,-z,now,--as-needed $(EXTRA)

pkg = $(shell pkg-config --libs $(1) 2>/dev/null)

# folder -> archive; a folder's main.c is its program's, everything else goes into the archive
FOLDERS := lib/base lib/proto gateway/rtc gateway/depay gateway/supervisor gateway/edge gateway/ingest \
	gateway/ctl transcode auth web
name = $(notdir $(1))
comma := ,
archive = $(BUILD)/lib$(call name,$(1)).a
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c))) \
	$(if $(filter web,$(1)),$(BUILD)/obj/web/assets_data.o)

BASE := $(BUILD)/libproto.a $(BUILD)/libbase.a
RTC := $(BUILD)/librtc.a

# What each folder's program and tests link: archives, then libraries.
LINK_base := $(BUILD)/libbase.a
LIBS_base := -lseccomp
LINK_proto := $(BASE)
LIBS_proto := -lseccomp
LINK_rtc := $(RTC) $(BUILD)/libbase.a
LIBS_rtc := $(call pkg,nice) -lsrtp2 -lssl -lcrypto -lseccomp
LINK_supervisor := $(BUILD)/libsupervisor.a $(BASE)
LIBS_supervisor := -lconfuse -lseccomp
LINK_edge := $(BUILD)/libedge.a $(RTC) $(BASE)
LIBS_edge := $(call pkg,nice) -lseccomp
LINK_depay := $(BUILD)/libdepay.a $(BASE)
LIBS_depay := -lseccomp
LINK_ingest := $(BUILD)/libingest.a $(BUILD)/libdepay.a $(RTC) $(BASE)
LIBS_ingest := $(LIBS_rtc)
LINK_ctl := $(BUILD)/libctl.a $(BASE)
LIBS_ctl := -ljansson
LINK_transcode := $(BUILD)/libtranscode.a $(BASE)
LIBS_transcode := -lavcodec -lswscale -lswresample -lavutil -lseccomp -lpthread
LINK_auth := $(BUILD)/libauth.a $(BASE)
LIBS_auth := -lsqlite3 -lcrypto -ljansson -lseccomp
LINK_web := $(BUILD)/libweb.a $(BASE)
LIBS_web := -lmicrohttpd -lz -ljansson -lseccomp

PROGRAMS := $(addprefix $(BUILD)/,sluiced sluicectl sluice-edge sluice-ingest sluice-transcode \
	sluice-auth sluice-web)

UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c)
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
FUZZ_SOURCES := $(wildcard tests/fuzz/*/*_fuzz.c)
FUZZERS := $(FUZZ_SOURCES:%.c=$(BUILD)/%)
PROCESS_SOURCES := $(wildcard tests/process/*_test.c)
PROCESS_TESTS := $(PROCESS_SOURCES:%.c=$(BUILD)/%)
SUPPORT_PROGRAMS := $(patsubst tests/support/%_main.c,$(BUILD)/tests/%,$(wildcard tests/support/*_main.c))
SUPPORT_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %_main.c,$(wildcard tests/support/*.c)))

all: $(PROGRAMS)

.SECONDARY:
.DELETE_ON_ERROR:

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC  $<"; $(CC) $(CFLAGS) -c -o $@ $<

define folder_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

define program_rule
$(BUILD)/$(1): $(BUILD)/obj/$(2)/main.o $(LINK_$(notdir $(2)))
	$(Q)echo "  LD  $$@"; $$(CC) $$(LDFLAGS) -o $$@ $$^ $(LIBS_$(notdir $(2)))
endef
$(eval $(call program_rule,sluiced,gateway/supervisor))
$(eval $(call program_rule,sluicectl,gateway/ctl))
$(eval $(call program_rule,sluice-edge,gateway/edge))
$(eval $(call program_rule,sluice-ingest,gateway/ingest))
$(eval $(call program_rule,sluice-transcode,transcode))
$(eval $(call program_rule,sluice-auth,auth))
$(eval $(call program_rule,sluice-web,web))

# ---- static pages, embedded into sluice-web ----
# web/ui/vendor holds hls.js when npm is there (make web-deps); without it the pages play natively.
UI_FILES := $(sort $(wildcard web/ui/*.html web/ui/*.css web/ui/*.js web/ui/*.svg web/ui/vendor/*))
$(BUILD)/gen/assets_data.S: $(UI_FILES) web/assets.sh
	@mkdir -p $(@D)
	sh web/assets.sh $(UI_FILES) > $@
$(BUILD)/obj/web/assets_data.o: $(BUILD)/gen/assets_data.S $(UI_FILES)
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

# ---- tests ----
define unit_rule
$(BUILD)/tests/unit/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $(LINK_$(1))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(LINK_$(1)) -lcmocka $(LIBS_$(1))
$(BUILD)/tests/fuzz/$(1)/%: $(BUILD)/obj/tests/fuzz/$(1)/%.o $(LINK_$(1))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $$< $(LINK_$(1)) $(LIBS_$(1))
unit-$(1): $(filter $(BUILD)/tests/unit/$(1)/%,$(UNIT_TESTS))
	@sh tests/run-unit.sh $$^
endef
AREAS := $(notdir $(FOLDERS))
$(foreach a,$(AREAS),$(eval $(call unit_rule,$(a))))

$(BUILD)/tests/libsupport.a: $(SUPPORT_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(BUILD)/tests/process/%: $(BUILD)/obj/tests/process/%.o $(BUILD)/tests/libsupport.a $(RTC) $(BASE)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka -ljansson -lcurl $(LIBS_rtc)
$(BUILD)/tests/%: $(BUILD)/obj/tests/support/%_main.o $(BUILD)/tests/libsupport.a $(BASE)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lsrtp2 -lssl -lcrypto -lcurl -ljansson -lseccomp -lm

# What rawpub publishes, made once with ffmpeg.
MEDIA := $(BUILD)/media/test.h264

# The logs of the runners, for make rules.
LOGS := $(BUILD)/logs
LOGGED = sh tests/logged.sh $(LOGS)/$@.log

unit: $(UNIT_TESTS)
	@$(LOGGED) sh tests/run-unit.sh $(UNIT_TESTS)
process: all $(PROCESS_TESTS) $(SUPPORT_PROGRAMS) $(MEDIA)
	@BUILD=$(BUILD) $(LOGGED) sh tests/run-unit.sh $(PROCESS_TESTS)
support: $(SUPPORT_PROGRAMS)
$(MEDIA): tests/support/make-media.sh
	sh tests/support/make-media.sh $(@:.h264=)

FUZZ_SECONDS ?= 5
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang \
		EXTRA="$(SANITIZE) -fsanitize=fuzzer-no-link" fuzz-run
fuzz-run: $(FUZZERS)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/run-fuzz.sh $(FUZZERS)

# A million mutated inputs for each parser of network bytes, with sanitizers: about a minute.
MILLS := $(filter %/mutation_test,$(UNIT_TESTS)) $(foreach a,$(AREAS),$(filter \
	$(BUILD)/tests/unit/$(a)/mutation_%_test,$(UNIT_TESTS)))
mutations:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan EXTRA="$(SANITIZE)" mutations-run
mutations-run: $(MILLS)
	@sh tests/run-mutations.sh $(MILLS)

e2e: all support node-modules $(MEDIA)
	@mkdir -p $(LOGS)
	@[ -t 1 ] && look=spec || look=tap; BUILD=$(BUILD) node --test --test-concurrency=1 \
		--test-reporter=$$look --test-reporter-destination=stdout \
		--test-reporter=./tests/e2e-log.mjs --test-reporter-destination=$(LOGS)/e2e.log \
		tests/e2e/*.test.mjs

# Which test proves which rule, from the logs of the last make test.
rules:
	@node tests/rules.mjs $(LOGS)/unit.log $(LOGS)/process.log $(LOGS)/e2e.log

# Figures, not verdicts: run them on a quiet machine, as root.
bench-ingest: all support $(MEDIA)
	@BUILD=$(BUILD) SECONDS=$(or $(SECONDS),10) STREAMS=$(or $(STREAMS),1$(comma)10$(comma)25) \
		node tests/bench/ingest.mjs
bench-footprint: all support $(MEDIA)
	@BUILD=$(BUILD) node tests/bench/footprint.mjs $(STREAMS) $(SECONDS)

# What arrives through a bad network, SECONDS for each row.
bench-loss: all support $(MEDIA)
	@BUILD=$(BUILD) node tests/bench/loss.mjs $(or $(SECONDS),20)

# ---- npm: hls.js for the watch page, playwright-core for the tests; plain `make` needs neither ----
HLS_JS := web/ui/vendor/hls.min.mjs
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund
PLAYWRIGHT := node_modules/playwright-core/package.json
$(PLAYWRIGHT): package-lock.json
	$(NPM_CI)
	@touch $@
node-modules: $(PLAYWRIGHT)
$(HLS_JS):
	@mkdir -p $(@D)
	@[ -d node_modules/hls.js ] || { echo "$(NPM_CI) --omit=dev"; $(NPM_CI) --omit=dev; }
	cp node_modules/hls.js/dist/$(@F) $@
web-deps: $(HLS_JS)

# ---- the two commands ----
PORT ?= 8080
STATE ?= state
LISTEN ?= 127.0.0.1
JOBS := -j$(shell nproc)
run:
	@sh packaging/deps.sh run >&2
	@$(MAKE) --no-print-directory web-deps >&2
	@$(MAKE) --no-print-directory $(JOBS) all >&2
	@PORT='$(PORT)' STATE='$(STATE)' LISTEN='$(LISTEN)' BUILD='$(BUILD)' exec sh packaging/run.sh
test:
	@sh packaging/deps.sh test
	@$(MAKE) --no-print-directory node-modules
	@$(MAKE) --no-print-directory web-deps
	@$(MAKE) --no-print-directory $(JOBS) all support $(UNIT_TESTS) $(PROCESS_TESTS)
	@$(MAKE) --no-print-directory check-layers unit
	@$(MAKE) --no-print-directory $(JOBS) fuzz
	@$(MAKE) --no-print-directory process
	@$(MAKE) --no-print-directory e2e
check: all unit check-layers check-headers
ci: check lint
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang all unit
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan EXTRA="$(SANITIZE)" unit
	@$(MAKE) --no-print-directory alloc-fail
	@$(MAKE) --no-print-directory FUZZ_SECONDS=60 fuzz
	@$(MAKE) --no-print-directory process e2e

# ---- checks ----
OUR_C := $(wildcard lib/*/*.[ch] gateway/*/*.[ch] transcode/*.[ch] auth/*.[ch] web/*.[ch] \
	tests/*/*.[ch] tests/*/*/*.[ch])
HEADERS := $(wildcard lib/*/*.h gateway/*/*.h transcode/*.h auth/*.h web/*.h)
check-layers:
	@sh tests/layers.sh
check-headers: $(HEADERS:%=$(BUILD)/headers/%.ok)
	@echo "headers: $(words $(HEADERS)) compile alone"
$(BUILD)/headers/%.ok: %
	@mkdir -p $(@D)
	$(Q)echo '#include "$<"' | $(CC) $(CFLAGS) -MF $(@:.ok=.d) -fsyntax-only -x c -
	@touch $@
lint:
	@sh packaging/deps.sh lint
	clang-format --dry-run -Werror $(OUR_C)
	cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingInclude -I. lib gateway transcode auth web
	@sh tests/complexity.sh

# Each unit test program again, with the nth allocation failing: none may crash.
alloc-fail: $(UNIT_TESTS) $(BUILD)/tests/alloc_fail.so
	@sh tests/run-alloc-fail.sh $(BUILD)/tests/alloc_fail.so $(UNIT_TESTS)
$(BUILD)/tests/alloc_fail.so: tests/support/preload/alloc_fail.c
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE -O2 -fPIC -shared $(WARNINGS) -o $@ $<

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: all unit process support fuzz fuzz-run mutations mutations-run e2e rules node-modules \
	web-deps run test check ci check-layers check-headers lint alloc-fail clean bench-ingest \
	bench-footprint bench-loss
