#!/bin/sh
# Slurm and GNU parallel, for the tests of sweeps on a cluster: Debian and Ubuntu, as root. Elsewhere those tests say that
# they were skipped.
command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || {
    echo "sweeps are not tested under Slurm: install slurm-wlm, munge and parallel, and run as root" >&2
    exit 0
}
export DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -y -q slurm-wlm munge parallel ||
    echo "sweeps are not tested under Slurm: slurm-wlm, munge and parallel cannot be installed" >&2
