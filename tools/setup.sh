#!/bin/sh
# Installs what a machine lacks to build this workspace, and nothing it has. Needs the network only for what is missing.
#
#   tools/setup.sh          all that `make test` needs
#   tools/setup.sh build    only what building and running needs
#   tools/setup.sh probes   that, and what `make probes` tries daemons with
set -eu
cd "$(dirname "$0")/.."
what=${1:-all}

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# --- a C compiler (the linker of every Rust program, and SQLite's) and make -------------------------------------------------------
missing=
command -v make >/dev/null || missing="$missing make"
command -v cc >/dev/null || missing="$missing gcc"
if command -v cc >/dev/null && ! echo '#include <stdlib.h>' | cc -E -x c - >/dev/null 2>&1; then missing="$missing libc6-dev"; fi
case $missing in *gcc*) missing="$missing libc6-dev" ;; esac
if [ "$what" = all ] && ! command -v npm >/dev/null; then missing="$missing npm"; fi
[ -e /etc/ssl/certs/ca-certificates.crt ] || ! command -v apt-get >/dev/null || missing="$missing ca-certificates"

# What counts instructions and system calls; where there is none they are not counted.
if [ "$what" = all ]; then
    for tool in valgrind strace; do
        command -v "$tool" >/dev/null && continue
        if command -v apt-get >/dev/null; then missing="$missing $tool"; else say "no $tool: what it counts will not be counted"; fi
    done
fi

# Programs that watch over daemons.
if [ "$what" = probes ]; then
    for tool in haproxy monit prometheus; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
    [ -x /lib/systemd/systemd-journald ] || missing="$missing systemd"
    command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 || missing="$missing python3-pip"
fi

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || fail "please install:$missing (this script knows only apt)"
    if [ "$(id -u)" -eq 0 ]; then as_root=; elif command -v sudo >/dev/null; then as_root=sudo; else
        fail "please install as root: apt-get install$missing"
    fi
    say "installing$missing"
    # shellcheck disable=SC2086 # words are wanted
    $as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get -q update && apt-get -qy install --no-install-recommends $missing"
fi

# --- Rust, at least as new as the workspace says ----------------------------------------------------------------------------------
[ -d "${CARGO_HOME:-$HOME/.cargo}/bin" ] && PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
command -v cargo >/dev/null || fail "no Rust toolchain; see https://rustup.rs"
need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
[ "$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n 1)" = "$need" ] ||
    fail "Rust $have is too old, $need or newer is needed; try: rustup update stable"

if [ "$what" = all ]; then
    components=
    cargo fmt --version >/dev/null 2>&1 || components="$components rustfmt"
    cargo clippy --version >/dev/null 2>&1 || components="$components clippy"
    if [ -n "$components" ]; then
        command -v rustup >/dev/null || fail "please install$components for Rust $have"
        say "adding$components"
        # shellcheck disable=SC2086
        rustup component add $components
    fi
fi

# --- the packages that the tests interoperate with -------------------------------------------------------------------------------
if [ "$what" = all ]; then
    locked=tests/interop/package-lock.json
    # npm leaves a copy of what it installed.
    installed=tests/interop/node_modules/.package-lock.json
    if [ ! -e "$installed" ] || [ "$installed" -ot "$locked" ]; then
        command -v npm >/dev/null || fail "please install npm"
        say "installing npm packages"
        (cd tests/interop && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
        touch "$installed"
    fi
fi

# --- a collector of OpenTelemetry, which comes as a Python package but is a program ---------------------------------------------
rotel=target/rotel
if [ "$what" = probes ] && [ ! -x "$rotel/rotel/rotel-agent" ]; then
    say "downloading a collector"
    mkdir -p "$rotel"
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$rotel" rotel==0.0.1a15
    python3 -m zipfile -e "$rotel"/rotel-*.whl "$rotel"
    chmod +x "$rotel/rotel/rotel-agent"
fi

# --- the crates of Cargo.lock -----------------------------------------------------------------------------------------------------
host=$(rustc -vV | sed -n 's/^host: //p')
if ! cargo fetch --locked --offline --target "$host" >/dev/null 2>&1; then
    say "downloading dependencies"
    cargo fetch --locked --target "$host"
fi
say "ready (Rust $have)"
