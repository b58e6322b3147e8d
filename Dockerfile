# syntax=docker/dockerfile:1
# Sealbook's server in a container. docker-compose.yml shows it with Postgres and a SoftHSM token beside it.

FROM rust:1.95-bookworm AS build
WORKDIR /build
# By name, not `COPY . .`: a data folder or a secret beside them must not end up in a layer.
COPY Cargo.toml Cargo.lock LICENSE ./
COPY benches benches
COPY ledger ledger
COPY server server
COPY tests tests
COPY migrations migrations
COPY web web
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked -p sealbook -p sealbook-ledger --bins \
    && install -D -t /out target/release/sealbook target/release/sealbook-verify

# What server and token maker share: SoftHSM with its tokens in a volume, and the user that owns them.
FROM debian:bookworm-slim AS softhsm
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates curl libsofthsm2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sealbook \
    && useradd --uid 10001 --gid sealbook --home-dir /var/lib/sealbook --no-create-home --shell /usr/sbin/nologin sealbook \
    && install -d -m 0700 -o sealbook -g sealbook /var/lib/sealbook /var/lib/sealbook-tokens \
    && install -d -m 0755 /etc/sealbook \
    && printf 'directories.tokendir = /var/lib/sealbook-tokens\nobjectstore.backend = file\nlog.level = ERROR\n' \
        > /etc/sealbook/softhsm2.conf
ENV SOFTHSM2_CONF=/etc/sealbook/softhsm2.conf
USER sealbook
WORKDIR /var/lib/sealbook
VOLUME ["/var/lib/sealbook", "/var/lib/sealbook-tokens"]

# Makes the SoftHSM token once. pkcs11-tool takes PINs from the environment, softhsm2-util only from its arguments,
# which every process on the host can read.
FROM softhsm AS token
USER root
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends opensc \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=0755 <<'SCRIPT' /usr/local/bin/make-token
#!/bin/sh
set -eu
module=/usr/lib/softhsm/libsofthsm2.so
if pkcs11-tool --module "$module" --list-token-slots | grep -Eq '^ *token label *: *sealbook *$'; then
    echo 'the token is there already'
    exit 0
fi
SO_PIN=$(cat /run/secrets/hsm_so_pin)
PIN=$(cat /run/secrets/hsm_pin)
export SO_PIN PIN
pkcs11-tool --module "$module" --init-token --slot-index 0 --label sealbook --so-pin env:SO_PIN
pkcs11-tool --module "$module" --init-pin --token-label sealbook --login --login-type so --so-pin env:SO_PIN --new-pin env:PIN
SCRIPT
USER sealbook
ENTRYPOINT ["/usr/local/bin/make-token"]

FROM softhsm AS server
COPY --from=build /out/sealbook /out/sealbook-verify /usr/local/bin/
EXPOSE 8080
# Alive, not ready: a server without its database or device answers 503 on /readyz and mends itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--max-time", "2", "http://127.0.0.1:8080/healthz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/sealbook"]
CMD ["serve", "--config", "/etc/sealbook/sealbook.toml"]
