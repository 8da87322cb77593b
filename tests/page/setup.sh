#!/bin/bash
# What the test of the HTML page needs, into folder $1: Debian's Chromium, playwright-core to drive it, and axe-core to
# judge whether everybody can use the page.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../editors/setup/debian.sh"
folder=${1:?the folder to install into}

playwright_core=1.65.1
axe_core=4.14.1
stamp="$folder/page/installed-$playwright_core-$axe_core"

# Also when the stamp is there: a cache folder can outlive the machine it was made on.
install_debian_packages chromium fonts-dejavu-core fonts-liberation
[ -e "$stamp" ] && exit 0
command -v npm >/dev/null || cannot_run "npm is missing; install Node 20 or newer."
rm -rf "$folder/page"
mkdir -p "$folder/page"
(cd "$folder/page" && echo '{"private": true}' >package.json &&
  timeout 300 npm install --no-audit --no-fund "playwright-core@$playwright_core" "axe-core@$axe_core" >install.log 2>&1) ||
  cannot_run "npm could not install playwright-core and axe-core; its output is in $folder/page/install.log."
touch "$stamp"
