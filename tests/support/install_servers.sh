#!/usr/bin/env bash
# Install Debian's PostgreSQL, PgBouncer, MariaDB and OpenSSH servers, and Chromium, where their
# programs are missing.
#
# The tests start private servers from these programs (tests/support/servers.py); the services that
# the packages bring are neither needed nor started. Does nothing, quickly, when all is there.
set -euo pipefail

find_program() { # PATTERN…: succeeds when one of the patterns names an executable
  local pattern program
  for pattern in "$@"; do
    for program in $pattern; do
      [ -x "$program" ] && return 0
    done
  done
  return 1
}

packages=()
find_program '/usr/lib/postgresql/*/bin/postgres' || packages+=(postgresql)
find_program /usr/sbin/pgbouncer /usr/bin/pgbouncer || packages+=(pgbouncer)
find_program /usr/sbin/mariadbd /usr/libexec/mariadbd || packages+=(mariadb-server)
find_program /usr/sbin/sshd /usr/local/sbin/sshd || packages+=(openssh-server)
find_program /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome || packages+=(chromium)
[ ${#packages[@]} -eq 0 ] && exit 0

how="apt-get install ${packages[*]}"
if ! command -v apt-get >/dev/null; then
  echo "error: programs for the tests are missing: PostgreSQL, PgBouncer, MariaDB, OpenSSH servers, Chromium" >&2
  echo "hint: on Debian: $how" >&2
  exit 1
elif [ "$(id -u)" -eq 0 ]; then
  as_root=(env)
elif sudo --non-interactive true 2>/dev/null; then
  as_root=(sudo --non-interactive env)
else
  echo "error: no programs for the tests: ${packages[*]} missing" >&2
  echo "hint: run as root: $how" >&2
  exit 1
fi

echo "installing ${packages[*]} for the tests"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # a package's service starts unless this file says no
  # shellcheck disable=SC2016
  "${as_root[@]}" sh -c 'printf "#!/bin/sh\nexit 101\n" >"$1" && chmod 755 "$1"' sh "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
"${apt[@]}" install --yes --no-install-recommends "${packages[@]}" >/dev/null
