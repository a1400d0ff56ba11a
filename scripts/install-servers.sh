#!/bin/sh
# Installs the servers that the tests need and this machine lacks, from the packages of Debian or Ubuntu. Only their
# programs are wanted: the tests start servers of their own.
set -e
cd "$(dirname "$0")/.."
packages=$(scripts/services missing)
# One shows what the system is told, and in which order; one gives programs another time; one is what people have pages in.
command -v strace > /dev/null || packages="$packages strace"
ls /usr/lib/*/faketime/libfaketimeMT.so.1 > /dev/null 2>&1 || packages="$packages libfaketime"
command -v chromium > /dev/null || packages="$packages chromium"
[ -n "$packages" ] || exit 0
as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || {
    echo "The tests need packages that only root can install: apt-get install" $packages >&2
    exit 1
  }
  as_root=sudo
fi
case $packages in *postgresql*)
  # It sets up a server for the whole machine unless it is told not to.
  $as_root mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.d/rowmill.conf > /dev/null
esac
# Others start theirs as soon as they are installed, unless this says no (Debian's policy-rc.d).
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '$as_root rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy > /dev/null
  $as_root chmod 755 $policy
fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
