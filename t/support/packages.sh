#!/bin/sh
# shellcheck disable=SC2034  # names used by those who source this
# Sourced by the README's commands: brings in Debian and Ubuntu packages, without a question.

BUILD_PACKAGES="g++ make autoconf automake pkg-config libevent-dev libssl-dev libconfig++-dev libfmt-dev libcrypt-dev
  libgsasl-dev libsodium-dev libsoci-dev libboost-dev libsqlite3-dev libseccomp-dev nlohmann-json3-dev
  default-libmysqlclient-dev libpq-dev libldap-dev libpam0g-dev libhiredis-dev libcurl4-openssl-dev"
SERVER_PACKAGES="dovecot-core dovecot-imapd dovecot-pop3d openssl curl python3 procps"
TEST_PACKAGES="nginx-light libnginx-mod-mail ccache libgtest-dev alpine mutt mandoc util-linux fetchmail isync getmail6 fail2ban
  dovecot-lmtpd dovecot-managesieved dovecot-sieve dovecot-submissiond sieve-connect postfix swaks libnet-ssleay-perl msmtp
  python3-cryptography mariadb-server postgresql slapd ldap-utils redis-server libpam-pwdfile krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit"
CYRUS_PACKAGES="cyrus-common cyrus-imapd cyrus-pop3d sasl2-bin"

say() { printf '\n== %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif [ -t 0 ]; then sudo "$@"
  else sudo -n "$@"; fi
}

missing_packages() {
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# The units of a package that starts a service when it comes; its init script has the first name.
units_of() {
  case $1 in
    dovecot-core) echo dovecot.service dovecot.socket ;;
    fail2ban) echo fail2ban.service ;;
    postfix) echo postfix.service ;;
    mariadb-server) echo mariadb.service ;;
    postgresql) echo postgresql.service ;;
    slapd) echo slapd.service ;;
    nginx-light) echo nginx.service ;;
    redis-server) echo redis-server.service ;;
    krb5-kdc) echo krb5-kdc.service ;;
    krb5-admin-server) echo krb5-admin-server.service ;;
  esac
}

# Answers to what packages would ask, before they come: a Postfix without a configuration does not start, slapd would make a
# directory of its own.
preseed() {
  for package in "$@"; do
    case $package in
      postfix) echo "postfix postfix/main_mailer_type select No configuration" ;;
      slapd) echo "slapd slapd/no_configuration boolean true" ;;
      krb5-*) echo "krb5-config krb5-config/add_servers boolean false" ;;
    esac
  done | as_root debconf-set-selections
}

# Installs what is missing. What comes new is only a tool here: it is not left running as a service.
install_packages() {
  wanted=$(missing_packages "$@")
  [ -n "$wanted" ] || return 0
  command -v apt-get >/dev/null || { echo "Please install what these are on your system: $wanted" >&2; return 1; }
  say "Installing packages: $wanted"
  units=$(for package in $wanted; do units_of "$package"; done)
  systemd=no
  [ -z "$units" ] || [ ! -d /run/systemd/system ] || systemd=yes
  # shellcheck disable=SC2086  # a list of words
  [ $systemd = no ] || as_root systemctl -q mask --runtime $units
  # shellcheck disable=SC2086  # a list of words
  preseed $wanted
  # shellcheck disable=SC2086  # a list of words
  apt update >/dev/null && apt install --no-install-recommends $wanted >/tmp/postern-apt.$$ 2>&1
  status=$?
  [ $status = 0 ] || tail -20 /tmp/postern-apt.$$ >&2
  rm -f /tmp/postern-apt.$$
  # shellcheck disable=SC2086  # a list of words
  if [ $systemd = yes ]; then as_root systemctl -q unmask --runtime $units
  else
    for unit in $units; do
      script=/etc/init.d/${unit%.*}
      [ ! -x "$script" ] || as_root "$script" stop >/dev/null 2>&1 || true
    done
  fi
  return $status
}

# A second IMAP server for the tests: Debian lets only one be installed, so its packages are just unpacked, and only
# the libraries they need come as packages.
unpack_cyrus() {
  folder=$1
  [ ! -e "$folder/usr/lib/cyrus/bin/imapd" ] || return 0
  command -v apt-get >/dev/null || return 1
  apt-cache show cyrus-imapd >/dev/null 2>&1 || apt update >/dev/null
  # shellcheck disable=SC2046,SC2086  # lists of words
  install_packages $(apt-cache depends $CYRUS_PACKAGES | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p' | sort -u) libsasl2-modules-db &&
    rm -rf "$folder" && mkdir -p "$folder" &&
    (cd "$folder" && apt-get -q download $CYRUS_PACKAGES >/dev/null 2>&1 &&
      for deb in *.deb; do dpkg-deb -x "$deb" . && rm -f "$deb" || exit 1; done)
}

jobs() { nproc 2>/dev/null || echo 2; }
