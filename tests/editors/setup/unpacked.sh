#!/bin/bash
# Neovim and Emacs of Debian 13 into folder $1, unpacked side by side with all their libraries and started through
# their own dynamic loader: the system's packages stay as they are. About a minute and 400 MB, once per machine.
#
# Afterwards $1/unpacked/bin/{nvim,emacs} can be called like any program.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/debian.sh"
folder=${1:?the folder to install into}

release=trixie
programs=(neovim emacs-nox)
root=$folder/unpacked/root
stamp="$folder/unpacked/installed-$release"
[ -e "$stamp" ] && exit 0
command -v apt-get >/dev/null || cannot_run "there is no apt-get to download Neovim and Emacs with."

rm -rf "$folder/unpacked"
apt=$folder/unpacked/apt
mkdir -p "$root" "$apt"/{lists/partial,archives/partial} "$folder/unpacked"/{debs,bin}
# The mirror that the system itself uses.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
  awk '$2 ~ /^[a-z]+$/ && $3 == "main" && $1 ~ /debian\/?$/ { print $1; exit }')
[ -n "$mirror" ] || cannot_run "no Debian mirror is configured in apt; this part needs a Debian system."
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || cannot_run "$keyring is missing; this part needs a Debian system."
echo "deb [signed-by=$keyring] $mirror $release main" >"$apt/sources.list"
: >"$apt/status"
options=(
  -o "Dir::Etc::SourceList=$apt/sources.list" -o 'Dir::Etc::SourceParts=-' -o "Dir::State::Lists=$apt/lists"
  -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt" -o "Dir::Cache::Archives=$apt/archives"
  -o 'APT::Sandbox::User=root' -o 'APT::Install-Recommends=false' -o 'Debug::NoLocking=1'
)
timeout 180 apt-get "${options[@]}" update -qq >"$apt/update.log" 2>&1 ||
  cannot_run "the package list of Debian $release could not be read; see $apt/update.log."
# With an empty status file the simulated installation names the whole closure, the C library included.
mapfile -t closure < <(timeout 120 apt-get "${options[@]}" install --simulate "${programs[@]}" 2>"$apt/simulate.log" |
  awk '$1 == "Inst" { print $2 }')
[ ${#closure[@]} -gt 0 ] || cannot_run "apt-get could not resolve ${programs[*]}; see $apt/simulate.log."
(cd "$folder/unpacked/debs" && timeout 600 apt-get "${options[@]}" download -qq "${closure[@]}" >"$apt/download.log" 2>&1) ||
  cannot_run "the packages of Neovim and Emacs could not be downloaded; see $apt/download.log."
for package in "$folder"/unpacked/debs/*.deb; do dpkg -x "$package" "$root"; done
rm -rf "$folder/unpacked/debs"

# launcher NAME PROGRAM ASSIGNMENT... [-- ARGUMENT...]: a script that starts PROGRAM of the unpacked tree with its own
# loader. The library path is the loader's argument and no variable: what the editor starts uses the system's libraries.
launcher() {
  local name=$1 program=$2
  shift 2
  {
    echo '#!/bin/bash'
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
      printf 'export %q\n' "$1"
      shift
    done
    [ $# -gt 0 ] && shift
    printf 'exec'
    printf ' %q' "$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \
      --argv0 "$program" "$program" "$@"
    printf ' "$@"\n'
  } >"$folder/unpacked/bin/$name"
  chmod +x "$folder/unpacked/bin/$name"
}
launcher nvim "$root/usr/bin/nvim" \
  "VIM=$root/usr/share/nvim" "VIMRUNTIME=$root/usr/share/nvim/runtime" \
  "LUA_PATH=$root/usr/share/lua/5.1/?.lua;$root/usr/share/lua/5.1/?/init.lua;;" \
  "LUA_CPATH=$root/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;"
emacs_data=$(echo "$root"/usr/share/emacs/[0-9]*)
emacs_programs=$(dirname "$(find "$root/usr/libexec/emacs" -name '*.pdmp')")
launcher emacs "$root/usr/bin/emacs-nox" \
  "EMACSLOADPATH=$(find "$emacs_data/lisp" -type d | paste -sd:)" "EMACSDATA=$emacs_data/etc" \
  "EMACSPATH=$emacs_programs" -- "--dump-file=$(echo "$emacs_programs"/*.pdmp)"
"$folder/unpacked/bin/nvim" --version >/dev/null && "$folder/unpacked/bin/emacs" --version >/dev/null ||
  cannot_run "the unpacked Neovim or Emacs does not start; remove $folder/unpacked and try again."
touch "$stamp"
