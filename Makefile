# Sockets Lab Suite: 'make help' lists the targets.

LABS := $(patsubst %/Makefile,%,$(wildcard labs/*/Makefile))
PARTS := harness/labcap harness/labwire harness/labbox

# Values reach the recipes through the environment as they were typed:
# make expands nothing in them and no shell reads them a second time.
VALUES := LAB SUBMISSION PAIR OUT N PROGRAM FAULT DIR PREFIX DESTDIR TARGET SECONDS
$(foreach v,$(VALUES),$(if $(filter-out undefined,$(origin $v)),\
    $(eval override export $v := $$(value $v))))

# What is graded is built by makes of its own, which none of these may reach.
ALONE := env $(addprefix -u ,MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES $(VALUES))

# As many at a time as there are processors, where nobody has said how many.
PARALLEL = $(MAKE) --no-print-directory -s \
    $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-O -j$(shell getconf _NPROCESSORS_ONLN))

.DEFAULT_GOAL := all
.PHONY: all help setup grade run watch starter flake test mutants gradescope bench fuzz \
    install uninstall labs labcap labwire labbox clean $(LABS)
.PHONY: try-labs needs-build needs-grade needs-watch needs-test needs-bench
.NOTPARALLEL: # set up, then build, then run

all: labs labcap labwire labbox ## build everything

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: needs-grade ## install what grading needs (the other targets do it themselves)
	@echo 'setup: all that grading needs is there'

grade: needs-grade labcap labwire labbox try-labs ## grade labs/ [LAB=01] [SUBMISSION=FOLDER] [OUT=FOLDER]
	@set -- $${SUBMISSION+-s "$$SUBMISSION"} $${OUT+-o "$$OUT"} $${LAB+"$$LAB"}; \
	$(ALONE) harness/grade "$$@"

run: needs-grade labcap labbox try-labs ## draw a pair LAB=01 [PAIR=NAME] [SUBMISSION=FOLDER] [OUT=FOLDER]
	@set -- $${SUBMISSION+-s "$$SUBMISSION"} $${PAIR+-p "$$PAIR"} $${OUT+-o "$$OUT"} $${LAB+"$$LAB"}; \
	$(ALONE) harness/run "$$@"

watch: needs-watch labcap labbox try-labs ## type into a pair LAB=01 [PAIR=NAME] [SUBMISSION=FOLDER]
	@set -- $${SUBMISSION+-s "$$SUBMISSION"} $${PAIR+-p "$$PAIR"} $${LAB+"$$LAB"}; \
	$(ALONE) harness/watch "$$@"

flake: needs-grade labcap labwire labbox try-labs ## grade N=3 times, all cores busy [LAB=01] [SUBMISSION=FOLDER]
	@set -- $${SUBMISSION+-s "$$SUBMISSION"} $${OUT+-o "$$OUT"} $${N+-n "$$N"} $${LAB+"$$LAB"}; \
	$(ALONE) harness/flake "$$@"

starter: needs-grade ## write what a student starts from, LAB=01 DIR=FOLDER
	@set -- "$${LAB-}" "$${DIR-}"; $(ALONE) harness/starter "$$@"

# A lab that does not compile is for the grade to tell. What compiles is not built again.
try-labs: needs-build
	@for lab in $(LABS); do $(MAKE) --no-print-directory -s -k -C $$lab >/dev/null 2>&1 || :; done

test: needs-test all ## run all the suite's own tests
	+@$(PARALLEL) -C harness/labcap sanitized replay
	+@$(PARALLEL) -C harness/labwire sanitized
	@$(ALONE) harness/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 2)) --dist loadgroup harness/selftest harness/tests

mutants: needs-grade labcap labwire labbox ## faults x tests [LAB=01] [PROGRAM=NAME] [FAULT=WORD] [OUT=FOLDER]
	@set -- $${PROGRAM+-p "$$PROGRAM"} $${FAULT+-f "$$FAULT"} $${OUT+-o "$$OUT"} $${LAB+"$$LAB"}; \
	$(ALONE) harness/mutants "$$@"

gradescope: needs-grade ## pack an autograder for Gradescope LAB=01 [OUT=FOLDER]
	@set -- $${OUT+-o "$$OUT"} $${LAB+"$$LAB"}; $(ALONE) harness/command labkit.gradescope.pack "$$@"

bench: needs-bench all ## measure speed
	@$(ALONE) bench/run

install: labcap ## install labcap and its manual [PREFIX=FOLDER] [DESTDIR=FOLDER]
	@harness/labcap/install

uninstall: ## remove it again [PREFIX=FOLDER] [DESTDIR=FOLDER]
	@harness/labcap/install uninstall

fuzz: needs-grade ## look for inputs that harm labcap: TARGET=NAME [SECONDS=60]
	@$(ALONE) harness/labcap/fuzz/run "$${TARGET-}" "$${SECONDS-60}"

labs: $(LABS) ## build the lab programs
$(LABS): needs-build
	+@$(PARALLEL) -C $@

labcap: needs-build ## build the packet recorder and analyser
	+@$(PARALLEL) -C harness/labcap

labwire: needs-build ## build the network that loses packets
	+@$(PARALLEL) -C harness/labwire

labbox: needs-build ## build the private network and the sandbox
	+@$(PARALLEL) -C harness/labbox

needs-build needs-grade needs-watch needs-test needs-bench: needs-%:
	@harness/setup $*

clean: ## remove what was built, and out/
	@for dir in $(LABS) $(PARTS) bench; do $(MAKE) --no-print-directory -s -C $$dir clean; done
	@rm -rf out
