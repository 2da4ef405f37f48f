#!/bin/sh
# Process 1 of a machine without systemd, as on a small board: file systems, network, sshd, nothing else.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2> /dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
if ! grep -qw nocgroups /proc/cmdline; then mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
modprobe -a virtio_net tun
for name in /sys/class/net/e*; do interface=${name##*/}; done
ip link set lo up
ip link set "$interface" up
ip address add 10.0.2.15/24 dev "$interface"
ip route add default via 10.0.2.2
echo nameserver 10.0.2.3 > /etc/resolv.conf
mkdir -p /run/sshd
/usr/sbin/sshd -e
while :; do wait; sleep 1; done   # reap what nobody else does
