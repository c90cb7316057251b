#!/bin/sh
# The inside of tests/packaging/machine.py: in namespaces of its own, a root that looks like this
# machine's, where all that is written goes to memory, and systemd as its process 1.
# Usage: machine.sh ROOT, where ROOT is an empty folder
set -eu
root=$1
upper=$root.memory

# Before anything of it is written to.
mount -t tmpfs -o mode=755 memory "$upper"
mkdir "$upper/upper" "$upper/work"
mount -t overlay -o "lowerdir=/,upperdir=$upper/upper,workdir=$upper/work" overlay "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
# What is the kernel's own stays as it is.
mount -o remount,bind,ro "$root/sys"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"

mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"

# Nothing of this machine's is started there but the journal; packages may start theirs.
rm -f "$root/usr/sbin/policy-rc.d"
: >"$root/etc/fstab"
units=$root/etc/systemd/system
rm -rf "$units"
mkdir -p "$units"
for unit in "$root"/lib/systemd/system/sysinit.target.wants/*; do
	unit=${unit##*/}
	[ "$unit" = systemd-journald.service ] || ln -s /dev/null "$units/$unit"
done
printf '[Unit]\nDescription=the target that this machine starts with\nRequires=basic.target\n' \
	>"$units/machine.target"

cd "$root"
mkdir -p mnt/old
pivot_root . mnt/old
umount -l mnt/old
# As systemd has it on a host; credentials need it.
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
	--unit=machine.target --log-target=journal-or-kmsg --show-status=no
