#!/bin/sh
# Tries what release.sh made for this machine, as root on a Debian machine with
# lintian, rpm and systemd: sh check.sh DIR
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check.sh: $*" >&2; exit 1; }
# expect FILE MODE OWNER: in the root folder of the package or image
expect() {
  got=$(stat -c '%a %u:%g' "$work/$1")
  [ "$got" = "$2 $3" ] || fail "$1 has mode and owner $got instead of $2 $3"
}
arch=$(dpkg --print-architecture)
deb=$(ls authproxy_*_"$arch".deb)

sha256sum --quiet -c SHA256SUMS
lintian --allow-root --fail-on error,warning "$deb"
grep -q '"name": "github.com/radmfa/radmfa/examples/authproxy"' "authproxy-linux-$arch.cdx.json" || fail "the bill of materials does not name the program"
for package in *.rpm; do
  rpm -K --nosignature "$package"
  rpm -qp --scripts "$package" | grep -q '^u authproxy ' || fail "$package makes no user"
done

echo "the deb in a root folder"
root=$work/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/etc"
: >"$root/var/lib/dpkg/status"
dpkg --root="$root" --force-script-chrootless --force-depends --log=/dev/null -i "$deb"
group=$(sed -n 's/^authproxy:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/group")
[ -n "$group" ] || fail "the package made no group"
expect root/etc/authproxy 750 "0:$group"
expect root/etc/authproxy/authproxy.cfg 640 "0:$group"
"$root/usr/bin/authproxy" version
# As it is installed, the sample says what to fill in.
"$root/usr/bin/authproxy" validate -config "$root/etc/authproxy/authproxy.cfg" >"$work/validate" && fail "the sample has no gaps"
grep -q ': \[radius_server_challenge\] skey: is missing' "$work/validate" || fail "$(cat "$work/validate")"
sed "s|/usr/bin/authproxy|$root&|" "$root/usr/lib/systemd/system/authproxy.service" >"$work/authproxy.service"
systemd-analyze verify --man=no "$work/authproxy.service"
systemd-analyze security --offline=true --threshold=20 "$work/authproxy.service" | tail -1
# An import takes the place of the sample, with the same owner and modes.
mkdir "$work/old"
cat >"$work/old/authproxy.cfg" <<EOF
[duo_only_client]
[radius_server_challenge]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-12345678.duosecurity.com
radius_ip_1=192.0.2.1
radius_secret_1=012345678901234567890123
EOF
"$root/usr/bin/authproxy" import -to "$root/etc/authproxy" "$work/old"
expect root/etc/authproxy/secrets 750 "0:$group"
expect root/etc/authproxy/secrets/radius_server_challenge.skey 640 "0:$group"
dpkg --root="$root" --force-script-chrootless --log=/dev/null --purge authproxy
[ ! -e "$root/usr/bin/authproxy" ] || fail "the program is still there"
[ -e "$root/etc/authproxy/secrets/radius_server_challenge.skey" ] || fail "the operator's files are gone"

echo "the image, with nothing else below it"
mkdir "$work/oci" "$work/image"
tar -xf "authproxy-image-$arch.tar" -C "$work/oci"
layer=$(sed 's/.*"Layers":\["\([^"]*\)".*/\1/' "$work/oci/manifest.json")
tar -xzf "$work/oci/$layer" -C "$work/image" --numeric-owner --same-owner
expect image/etc/authproxy 750 0:65532
expect image/var/log/authproxy 750 65532:65532
chroot --userspec=65532:65532 "$work/image" /usr/bin/authproxy version
