#!/bin/sh
# Makes everything that a release consists of: VERSION=v1.2.3 sh release.sh DIR
#
# Binaries, for Linux also deb, rpm and container image, bills of material and
# SHA256SUMS, for every system or for those in TARGETS (see build.sh). The same source, VERSION and SOURCE_DATE_EPOCH give the same bytes.
set -eu
umask 022
export LC_ALL=C TZ=UTC
out=$(mkdir -p "${1:-dist}" && cd "${1:-dist}" && pwd)
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A package's version begins with a digit, and what follows ~ is older than none.
case $VERSION in
  v[0-9]*) PACKAGE_VERSION=$(echo "${VERSION#v}" | sed 's/-/~/; s/-/./g') ;;
  *) PACKAGE_VERSION=0~$(echo "$VERSION" | tr - .) ;;
esac
export PACKAGE_VERSION

# The tools are of a module of their own, without C.
(
  cd "$root/tools/release"
  export GOWORK=off CGO_ENABLED=0
  go build -trimpath -buildvcs=false -o "$work/bin/" ./image github.com/goreleaser/nfpm/v2/cmd/nfpm github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
)

sh ../build.sh "$out"

# The notices of all modules in the program, and of Go.
notices() {
  echo "Go: $(go env GOVERSION)"
  cat "$(go env GOROOT)/LICENSE"
  (cd .. && GOOS=linux go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' .) | sort -u |
    while read -r module version dir; do
      printf '\n%s\n%s %s\n\n' ======== "$module" "$version"
      found=
      for file in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/NOTICE*; do
        [ ! -f "$file" ] || { cat "$file"; found=yes; }
      done
      [ -n "$found" ] || { echo "release.sh: $module has no licence file" >&2; exit 1; }
    done
}
stage=$work/stage
mkdir "$stage"
notices >"$stage/NOTICES"
cp "$root/LICENSE" ../README.md authproxy.cfg sysusers.conf copyright lintian-overrides "$stage"
cp -R deb rpm "$stage"
sed -i -e '/@SYSUSERS@/{r sysusers.conf' -e 'd}' "$stage/rpm/pre"
sed 's|/usr/local/bin/|/usr/bin/|; s|^Documentation=|&man:authproxy(8) |' ../authproxy.service >"$stage/authproxy.service"
gzip -9n <authproxy.8 >"$stage/authproxy.8.gz"
gzip -9n <"$root/CHANGELOG.md" >"$stage/CHANGELOG.gz"
gzip -9n <"$stage/NOTICES" >"$stage/NOTICES.gz"
{
  printf 'authproxy (%s-1) unstable; urgency=medium\n\n' "$PACKAGE_VERSION"
  printf '  * Release %s. What is new is in changelog.gz.\n\n' "$VERSION"
  printf ' -- %s  %s\n' "$(sed -n 's/^maintainer: //p' nfpm.yaml)" "$(date -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$stage/changelog.Debian.gz"

for ARCH in amd64 arm64; do
  [ -f "$out/authproxy-linux-$ARCH" ] || continue
  export ARCH
  cp "$out/authproxy-linux-$ARCH" "$stage/authproxy"
  for packager in deb rpm; do
    (cd "$stage" && "$work/bin/nfpm" package --config "$OLDPWD/nfpm.yaml" --packager "$packager" --target "$out")
  done
  "$work/bin/image" -arch "$ARCH" -version "$VERSION" -o "$out/authproxy-image-$ARCH.tar" "$stage/authproxy" "$stage/LICENSE" "$stage/NOTICES"
done

for binary in "$out"/authproxy-*-*; do
  case $binary in
    *.tar | *.json | *.deb | *.rpm) ;;
    *) "$work/bin/cyclonedx-gomod" bin -json -std -noserial -notimestamp -version "$VERSION" -output "$binary.cdx.json" "$binary" ;;
  esac
done

(cd "$out" && rm -f SHA256SUMS && sha256sum ./* >"$work/sums" && sed 's|\./||' "$work/sums" >SHA256SUMS)
