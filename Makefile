# Two commands matter: `cargo run --release -- run` does the main job, `make test` runs every test.
.PHONY: test vulkan print cluster lint interop

# Where `make interop` keeps its Python.
INTEROP_VENV ?= $(HOME)/.cache/gia-gpu/interop

# The GPU device is tested on whatever Vulkan adapter there is; Mesa's software driver will do.
# LP_NUM_THREADS=0 and a cache inside target/ make that driver faster; real drivers ignore them.
# XDG_RUNTIME_DIR only silences Mesa where no desktop has set it.
export LP_NUM_THREADS = 0
export MESA_SHADER_CACHE_DIR = $(CURDIR)/target/mesa-shader-cache
export XDG_RUNTIME_DIR ?= /tmp

test: vulkan print cluster
	cargo test --release

# Finds a Vulkan adapter, or installs Debian's software driver, or says what to do.
vulkan:
	@cargo run --release --quiet -- devices 2>/dev/null | grep -q '^gpu' || sh tests/install_vulkan.sh

# The test of printed pages wants a browser and a reader of PDF; where they are not, it says that it was skipped.
print:
	@{ command -v chromium && command -v pdftotext; } >/dev/null || sh tests/install_chromium.sh

# A real Slurm, for the test of sweeps on a cluster.
cluster:
	@{ command -v slurmctld && command -v munged && command -v parallel; } >/dev/null || sh tests/install_slurm.sh

lint:
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --release

# What PyTorch and Flower save is what gia-gpu reads, and the reverse; CLIP as transformers and open_clip compute it.
# Downloads PyTorch (large) the first time.
interop:
	test -x $(INTEROP_VENV)/bin/python || python3 -m venv $(INTEROP_VENV)
	$(INTEROP_VENV)/bin/python -m pip install --quiet torch torchvision flwr safetensors pillow \
		transformers open_clip_torch timm tokenizers onnx onnxscript
	cargo build --release --bins --example clip_features --example network_numbers
	sh examples/interop.sh $(INTEROP_VENV)/bin/python target/release/gia-gpu target/release/examples/clip_features \
		target/release/examples/network_numbers
