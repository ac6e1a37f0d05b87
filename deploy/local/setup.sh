#!/usr/bin/env bash
# Sets up what the demo, the tests and the benchmarks need on a bare Debian machine: the system's packages that are
# missing, and the Python environment in .venv. Safe to run again; does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

# command -> the Debian package that brings it
needed=(
  redis-server:redis-server dockerd:docker.io runc:runc docker-registry:docker-registry debootstrap:debootstrap
  busybox:busybox-static ip:iproute2 nsenter:util-linux setpriv:util-linux tar:tar git:git tcc:tcc
  openssl:openssl docker-compose:docker-compose htpasswd:apache2-utils promtool:prometheus chromium:chromium
  systemd-analyze:systemd
)
missing=()
for pair in "${needed[@]}"; do
  command=${pair%%:*} package=${pair#*:}
  PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || missing+=("$package")
done
# A shared busybox would not run in an image that holds nothing else; tests make images of the others.
for package in busybox-static python3-venv tzdata; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if ((${#missing[@]})); then
  echo "installing packages of the system: ${missing[*]}"
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

stamp=.venv/.set-up
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "aitrain needs Python 3.11 or newer, this is " + sys.version)'
  echo "setting up the Python environment in .venv (once, a minute or two)"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt setuptools
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
    --no-build-isolation --editable '.[dev]'
  touch "$stamp"
fi
