#!/bin/sh
# Builds tests for Windows and runs them under Wine: tools/windows.sh ARGUMENTS OF `cargo test`
#
# Needs a linker and Wine (Debian: gcc-mingw-w64-x86-64-win32, wine64) and installs Rust's library for the target.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-pc-windows-gnu

fail() { printf 'windows: %s\n' "$*" >&2; exit 1; }

command -v x86_64-w64-mingw32-gcc >/dev/null || fail 'no linker; try: apt-get install gcc-mingw-w64-x86-64-win32'
wine=$(command -v wine64 || command -v /usr/lib/wine/wine64 || command -v wine) || fail 'no Wine; try: apt-get install wine64'
rustup target list --installed | grep -qx "$target" || rustup target add "$target"

export CARGO_TARGET_DIR=target/windows
mkdir -p "$CARGO_TARGET_DIR"
export WINEPREFIX="$PWD/$CARGO_TARGET_DIR/prefix" WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
unset DISPLAY
[ -d "$WINEPREFIX" ] || "$wine" wineboot -i
library=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
[ -e "$library" ] || x86_64-w64-mingw32-gcc -shared -O2 -o "$library" tools/wine/bcryptprimitives.c -ladvapi32

export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$wine"
"${CARGO:-cargo}" test --locked --target "$target" "$@"
