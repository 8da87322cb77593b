#!/bin/bash
# The extension's own packages from its lock file, its bundle, and its compiled tests.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/debian.sh"
cd "$here/../../../editor-extension"
command -v npm >/dev/null || cannot_run "npm is missing; install Node 20 or newer."
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  timeout 500 npm ci --no-audit --no-fund --loglevel=error >/dev/null
  cp package-lock.json node_modules/.installed-lock.json
fi
npm run --silent build
npm run --silent test:build
