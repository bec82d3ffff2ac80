#!/bin/bash
# Builds one guest image: build.sh SUITE OUT [APT-SOURCE-LINE]
#
# Leaves in OUT: vmlinuz, initrd and disk.img (ext4). Without a source line
# mmdebstrap uses its own default for the suite. Needs root, mounts nothing on
# the host (mmdebstrap has a mount namespace of its own, mke2fs -d needs none).
set -euo pipefail

suite=$1 out=$2 source=${3:-}
recipe=$(dirname "$(readlink -f "$0")")
root=$out/root

list() { grep -v -e '^#' -e '^$' "$1"; }

# The kernel package would build a large initrd that nobody boots.
# shellcheck disable=SC2016 # mmdebstrap expands $1, the root
skip_initrd='mkdir -p "$1/etc/initramfs-tools" &&
	echo update_initramfs=no >"$1/etc/initramfs-tools/update-initramfs.conf"'

mmdebstrap --quiet --variant=minbase \
	--include="$(list "$recipe/packages" | paste -sd,)" \
	--aptopt='Acquire::Retries "3"' \
	--dpkgopt=force-confold \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/include/*' \
	--setup-hook="$skip_initrd" \
	"$suite" "$root" ${source:+"$source"}

# Configuration: our own files, a fixed identity, what is masked.
cp -r "$recipe/root/." "$root/"
chmod 0755 "$root"/usr/lib/guest/*
echo 6d656d7375702d6775657374c0ffee00 >"$root/etc/machine-id"
echo guest >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost guest\n::1\tlocalhost\n' >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf" "$root/etc/fstab"
: >"$root/etc/fstab"
list "$recipe/masked" | while read -r unit; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf guest.target "$root/etc/systemd/system/default.target"

# The initrd: busybox and the few modules on the way to the root file system.
version=$(basename "$root"/lib/modules/*)
initrd=$out/initramfs
mkdir -p "$initrd/bin" "$initrd/mods"
cp "$(command -v busybox)" "$initrd/bin/busybox"
cp "$recipe/init" "$initrd/init"
chmod 0755 "$initrd/init"
n=100
for module in virtio_pci virtio_blk ext4 overlay; do
	chroot "$root" modprobe --set-version "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
	name=$(basename "$path")
	case $name in
	*.xz) busybox unxz <"$root$path" >"$initrd/mods/$n-${name%.xz}" ;;
	*) cp "$root$path" "$initrd/mods/$n-$name" ;;
	esac
	n=$((n + 1))
done
(cd "$initrd" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$out/initrd"

cp "$root/boot/vmlinuz-$version" "$out/vmlinuz"
rm -rf "$initrd" "${root:?}/boot" "$root/var/cache/apt" "$root/var/lib/apt/lists"
size=$(($(du -sm "$root" | cut -f1) * 5 / 4 + 64))
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d "$root" "$out/disk.img" "${size}M"
rm -rf "$root"
