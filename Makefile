# Two commands matter: `cargo run --release -- run` does the main job, `make test` runs every test.
.PHONY: test vulkan lint

# The GPU device is tested on whatever Vulkan adapter there is; Mesa's software driver will do.
# LP_NUM_THREADS=0 and a cache inside target/ make that driver faster; real drivers ignore them.
# XDG_RUNTIME_DIR only silences Mesa where no desktop has set it.
export LP_NUM_THREADS = 0
export MESA_SHADER_CACHE_DIR = $(CURDIR)/target/mesa-shader-cache
export XDG_RUNTIME_DIR ?= /tmp

test: vulkan
	cargo test --release

# Finds a Vulkan adapter, or installs Debian's software driver, or says what to do.
vulkan:
	@cargo run --release --quiet -- devices 2>/dev/null | grep -q '^gpu' || sh tests/install_vulkan.sh

lint:
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
