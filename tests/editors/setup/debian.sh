# Sourced by the other setup scripts: packages of the running Debian, installed only when one is missing.
# shellcheck shell=bash

# Says why a part of the editor tests cannot run on this machine, and stops it: status 77, "cannot run".
cannot_run() {
  echo "cannot run: $*" >&2
  exit 77
}

# install_debian_packages NAME...
install_debian_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || cannot_run "the Debian packages ${missing[*]} are missing and there is no apt-get to install them."
  [ "$(id -u)" -eq 0 ] || cannot_run "the Debian packages ${missing[*]} are missing; install them as root with apt-get, or run this as root."
  # One unreachable third-party source is no reason to stop: the installation says whether it matters.
  timeout 180 apt-get update -qq >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    cannot_run "apt-get could not install ${missing[*]}; is the network reachable?"
}
