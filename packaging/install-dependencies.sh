#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what packaging/debian-packages.txt names and this machine lacks, and the Python environment of the tests.
# Usage: packaging/install-dependencies.sh. Run by `make deps`; does nothing, quickly, when all is there.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'deps: %s\n' "$*"; }
fail() { printf 'deps: %s\n' "$*" >&2; exit 1; }

missing_packages() {
    for package in $(grep -v '^#' packaging/debian-packages.txt); do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

# Packages such as prometheus start a service when they are installed. The tests start their own; so, while apt runs,
# a policy forbids it, and what was newly enabled is disabled afterwards.
install_packages() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root, and there is no sudo; as root run: apt-get install $*"
        as_root=sudo
    fi
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '$as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    $as_root apt-get -q update || say "apt-get update failed; going on with the lists that are there"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
    if [ -d /run/systemd/system ]; then
        for package in "$@"; do
            for unit in $(dpkg -L "$package" | sed -n 's|^.*/systemd/system/\([^/]*\.\(service\|timer\)\)$|\1|p'); do
                $as_root systemctl disable --now "$unit" >/dev/null 2>&1 || true
            done
        done
    fi
}

if command -v dpkg-query >/dev/null; then
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        say "installing $missing"
        # shellcheck disable=SC2086
        install_packages $missing
    else
        say "every Debian package is there"
    fi
else
    say "not a Debian system; install what packaging/debian-packages.txt names by other means"
fi

command -v swift >/dev/null || fail "swift is not installed; install Swift 6.3 or later (https://www.swift.org/install/linux) \
and put its bin folder into PATH"
