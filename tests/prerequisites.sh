#!/bin/sh
# Finds what this machine lacks to build and run Sealbook; with the argument `test`, to test it too, which takes a
# browser. Says each missing thing in a line, installs them with apt where that is allowed (root, or sudo without a
# password), else prints the exact command and ends with 1. Silent and quick when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

oldest_postgres=15
oldest_rust=92 # 1.92, the workspace's rust-version
packages=
missing_rust=
for_tests=false
if [ "${1:-}" = test ]; then
    for_tests=true
fi

# What the browser tests have from npm goes into the target folder, and stays there until the lock file changes.
npm_packages=${CARGO_TARGET_DIR:-target}/browser-tests

lacks() { # what, Debian packages
    echo "missing: $1" >&2
    packages="$packages $2"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# The server's programs are not on PATH on Debian; the same places as server/src/embedded/binaries.rs.
has_postgres() {
    for program in /usr/lib/postgresql/*/bin/postgres; do
        major=${program#/usr/lib/postgresql/}
        major=${major%%/*}
        case $major in
            *[!0-9]*) continue ;;
        esac
        if [ -x "$program" ] && [ "$major" -ge $oldest_postgres ]; then
            return 0
        fi
    done
    program=
    if has postgres; then
        program=postgres
    elif has pg_config && [ -x "$(pg_config --bindir)/postgres" ]; then
        program=$(pg_config --bindir)/postgres
    fi
    [ -n "$program" ] || return 1
    major=$("$program" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge $oldest_postgres ]
}

has_faketime() {
    for library in /usr/lib/*/faketime/libfaketime.so.1; do
        if [ -e "$library" ]; then
            return 0
        fi
    done
    return 1
}

has_softhsm() {
    for module in /usr/lib/softhsm /usr/lib/*/softhsm /usr/lib64/softhsm /usr/lib64/pkcs11 /usr/local/lib/softhsm; do
        if [ -e "$module/libsofthsm2.so" ]; then
            return 0
        fi
    done
    return 1
}

has_browser() {
    has chromedriver && { has chromium || has chromium-browser || has google-chrome; }
}

has_npm_packages() {
    cmp -s tests/browser/package-lock.json "$npm_packages/package-lock.json" && [ -d "$npm_packages/node_modules" ]
}

# npm takes exactly what the lock file names, holds it against the digests there, and runs none of its scripts.
install_npm_packages() {
    echo "installing: $(sed -n 's/^ *"\(.*\)": "\([0-9.]*\)"$/\1 \2/p' tests/browser/package.json) from npm" >&2
    rm -rf "$npm_packages"
    mkdir -p "$npm_packages"
    cp tests/browser/package.json tests/browser/package-lock.json "$npm_packages"
    if ! (cd "$npm_packages" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2); then
        rm -rf "$npm_packages" # Half an installation must not look like a whole one.
        echo "npm could not install what tests/browser/package-lock.json names" >&2
        exit 1
    fi
}

PATH="$PATH:$HOME/.cargo/bin"
if ! has cargo; then
    missing_rust='missing: Rust. Install it with rustup (https://rustup.rs), then run this again.'
else
    minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -lt $oldest_rust ]; then
        missing_rust="missing: Rust 1.$oldest_rust or newer (this is $(cargo --version)). Update it: rustup update stable
         (Debian's own cargo is too old: use rustup's, https://rustup.rs)"
    fi
fi

{ has cc && has c++ && has make; } || lacks 'a C compiler and make' build-essential
has_postgres || lacks "PostgreSQL $oldest_postgres or newer (server programs)" postgresql
has_softhsm || lacks 'SoftHSM 2 (libsofthsm2.so)' softhsm2
has openssl || lacks 'openssl (checks signatures in the tests)' openssl
has python3 || lacks 'python3 (independent implementations in the tests)' python3
if $for_tests; then
    has_faketime || lacks 'libfaketime (clocks that are set, in the tests)' faketime
    has qpdf || lacks 'qpdf (checks the files of reports, in the tests)' qpdf
    { has pdftotext && has pdffonts; } || lacks 'pdftotext and pdffonts (read reports, in the tests)' poppler-utils
    has_browser || lacks 'Chromium and chromedriver (the tests in a browser)' 'chromium chromium-driver'
    has_npm_packages || has npm || lacks 'npm (axe-core, for the tests in a browser)' npm
fi

if [ -n "$missing_rust" ]; then
    echo "$missing_rust" >&2
fi
finish() {
    if $for_tests && ! has_npm_packages; then
        install_npm_packages
    fi
    [ -z "$missing_rust" ] # The result of the whole script.
    exit
}
if [ -z "$packages" ]; then
    finish
fi

install="apt-get update && apt-get install -y --no-install-recommends$packages"
if ! has apt-get; then
    echo "Install them with this system's package manager; on Debian it would be: $install" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif has sudo && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "Install them with: sudo sh -c '$install'" >&2
    exit 1
fi

# Installing Debian's postgresql makes a cluster named main and starts it on port 5432. Sealbook needs the programs
# only, and a database server that somebody never asked for should not listen on their machine. So for the time of
# this installation a drop-in tells postgresql-common to make no cluster; afterwards it goes, and the machine is
# configured as it was. Clusters that exist are not touched: packages that are installed are not installed again.
drop_in=/etc/postgresql-common/createcluster.d/50-sealbook-installing.conf
cleanup() {
    $as_root rm -f "$drop_in"
}
case $packages in
    *postgresql*)
        trap cleanup EXIT
        trap 'exit 1' HUP INT TERM
        $as_root mkdir -p "${drop_in%/*}"
        echo 'create_main_cluster = false' | $as_root tee "$drop_in" >/dev/null
        ;;
esac

echo "installing:$packages" >&2
$as_root apt-get update -q
# sudo clears the environment, hence env.
# shellcheck disable=SC2086 # two lists of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
if ! has_postgres; then
    echo "this system's packages have no PostgreSQL $oldest_postgres: see https://www.postgresql.org/download/" >&2
    exit 1
fi
finish
