#!/bin/bash
# Make one machine's disk: `image.sh SUITE FOLDER`. Root calls it; it takes some minutes and 2 GB, once.
# FOLDER appears with disk.ext4, key (to enter by ssh) and a vmlinuz and initrd of each kernel.
set -euo pipefail
# What is mounted while the tree is made is mounted for this script alone, and ends with it, however it ends.
if [ -z "${MACHINE_ALONE:-}" ]; then exec env MACHINE_ALONE=1 unshare --mount --propagation private "$0" "$@"; fi
suite=$1 done=$2 folder=$2.new
here=$(cd "$(dirname "$0")" && pwd)
mirror=${MIRROR:-http://deb.debian.org/debian}
tree=$folder/tree
packages=systemd,systemd-sysv,systemd-container,dbus-user-session,libpam-systemd,openssh-server
packages+=,python3,python3-venv,ca-certificates,kmod,procps,apparmor,initramfs-tools,iproute2,less,nano
packages+=,crun,runc,bubblewrap,uidmap,passt,slirp4netns,nftables,fuse3,fuse-overlayfs,iputils-ping
packages+=,skopeo,umoci,attr,acl,pigz,libarchive-tools,erofs-utils,zstd,docker-registry,busybox-static
packages+=,strace,e2fsprogs,util-linux,passwd,linux-image-cloud-amd64
sources=("deb $mirror $suite main")
older=
if [ "$suite" = bookworm ]; then  # the kernel of the Debian before, on the same disk
  sources+=("deb $mirror bullseye main")
  older='^linux-image-5\.10\..*-cloud-amd64$'
fi
exec 9> "$done.lock"
flock 9
[ ! -e "$done" ] || exit 0  # somebody else made it meanwhile
rm -rf --one-file-system "$folder"
mkdir -p "$tree"
ssh-keygen -q -t ed25519 -N '' -C machines -f "$folder/key"

# What pyproject.toml wants, without what tests in here do not use.
"${PYTHON:-python3}" - "$here/../../pyproject.toml" > "$folder/requirements" << 'END'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
rows = [*project["dependencies"], *extras["hub"], *extras["run"], *extras["dev"]]
left_out = ("lamina", "mypy", "ruff", "import-linter", "playwright")
print("\n".join(row for row in rows if not row.startswith(left_out)))
END

cat > "$folder/within.sh" << 'END'
#!/bin/bash
# Inside the new tree: the older kernel, Python packages, accounts.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
python3 -m venv /opt/venv
env -i PATH="$PATH" PIP_CERT=/tmp/certificates PIP_INDEX_URL="${PIP_INDEX_URL:-https://pypi.org/simple}" \
  /opt/venv/bin/pip install -q -r /tmp/requirements
if [ -n "$1" ]; then
  apt-get install -qq -o Dpkg::Use-Pty=0 -y "$(apt-cache pkgnames linux-image-5 | grep "$1" | sort -V | tail -n 1)"
fi
useradd --create-home --shell /bin/bash plain
passwd -q -d root; passwd -q -d plain
for home in /root /home/plain; do
  mkdir -p "$home/.ssh"
  cp /tmp/key.pub "$home/.ssh/authorized_keys"
done
chown -R plain: /home/plain
printf '[Match]\nName=e*\n[Network]\nDHCP=yes\n' > /etc/systemd/network/machine.network
systemctl enable -q systemd-networkd
sed -i 's/^#\?PermitRootLogin.*/PermitRootLogin prohibit-password/' /etc/ssh/sshd_config
printf 'UseDNS no\nMaxStartups 100\n' >> /etc/ssh/sshd_config
echo tun > /etc/modules-load.d/tun.conf
systemctl disable -q docker-registry apt-daily.timer apt-daily-upgrade.timer || true
rm -rf /tmp/* /var/lib/apt/lists/*
END
chmod +x "$folder/within.sh"
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
mmdebstrap --quiet --variant=minbase --include="$packages" --format=directory \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --customize-hook="upload $folder/requirements /tmp/requirements" \
  --customize-hook="upload $certificates /tmp/certificates" \
  --customize-hook="upload $folder/key.pub /tmp/key.pub" \
  --customize-hook="upload $folder/within.sh /tmp/within.sh" \
  --customize-hook="upload $here/init.sh /sbin/small-init" \
  --customize-hook="chroot \"\$1\" bash /tmp/within.sh '$older'" \
  "$suite" "$tree" "${sources[@]}"
echo nameserver 10.0.2.3 > "$tree/etc/resolv.conf"
echo machine > "$tree/etc/hostname"
cp "$tree"/boot/vmlinuz-* "$tree"/boot/initrd.img-* "$folder"
truncate -s 8G "$folder/disk.ext4"
mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 -d "$tree" "$folder/disk.ext4"
rm -rf --one-file-system "$tree"
mv "$folder" "$done"
