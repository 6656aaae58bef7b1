#!/bin/sh
# Called by `make test` where no GPU adapter is found: the tests of the GPU device need one.
set -eu
if command -v apt-get >/dev/null 2>&1; then
  echo "No Vulkan adapter: installing Mesa's software driver (mesa-vulkan-drivers)."
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  $as_root apt-get update -q && $as_root apt-get install -y -q mesa-vulkan-drivers && exit 0
fi
cat >&2 <<'EOF'
No GPU adapter was found, and the tests of the GPU device need one. Install
  Debian, Ubuntu   mesa-vulkan-drivers
  Fedora           mesa-vulkan-drivers
  Arch             vulkan-swrast, or the driver of your card
  NVIDIA           the proprietary driver with its Vulkan library
  macOS            nothing: Metal is part of the system (is this a virtual machine without it?)
  Windows          a driver with DirectX 12; without a card, Windows' own WARP adapter serves
and run `make test` again.
EOF
exit 1
