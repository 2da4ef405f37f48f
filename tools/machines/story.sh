#!/bin/bash
# Use lamina as a person does, on whatever machine this is: `story.sh TREE PYTHON`. Each line says what was seen:
# `fact NAME: VALUE`, `ok NAME`, or `FAULT NAME: what came instead`. Ends with 1 after a fault.
set -uo pipefail
tree=$1 python=$2
export PYTHONPATH=$tree/src:$tree LAMINA_ROOT=${LAMINA_ROOT:-$HOME/story} LC_ALL=C.UTF-8
unset LAMINA_STORAGE_DRIVER LAMINA_RUNTIME
faults=0
cd "$HOME" || exit 1
lamina() { "$python" -m lamina "$@"; }
fact() { echo "fact $1: $2"; }
fault() { echo "FAULT $1: $(echo "$2" | tr '\n' ' ' | cut -c1-400)"; faults=$((faults + 1)); }
is() { if [ "$2" = "$3" ]; then echo "ok $1"; else fault "$1" "$2, not $3"; fi; }        # NAME SEEN WANTED
has() { case $2 in *"$3"*) echo "ok $1" ;; *) fault "$1" "$2 (has no $3)" ;; esac }       # NAME SEEN PART

lamina info --format '{{.Driver}}, since {{.DriverReason}}
runtime: {{.DefaultRuntime}}
network: {{.Network}} ({{.NetworkReason}})
control groups: {{.CgroupDriver}} {{.CgroupVersion}}, limits kept: {{.LimitsKept}} {{.CgroupReason}}
kernel: {{.KernelVersion}}' 2>&1 | sed 's/^/fact /'
"$python" -c 'import sys; from tests.images import tiny; sys.stdout.buffer.write(tiny())' > tiny.tar
said=$(lamina import -c 'CMD ["sh"]' tiny.tar tiny 2>&1) || fault import "$said"
said=$(lamina run --rm tiny echo hello 2>&1)
if [ "$said" != hello ]; then
  fact "run" "$said"
  case $said in *sysctl*) echo "ok run names the setting" ;; *) fault run "$said" ;; esac
  for words in "images -q" "history -q tiny" "inspect tiny" "ls tiny:/bin" "cat tiny:/etc/passwd" "save -o s.tar tiny" "ps"; do
    # shellcheck disable=SC2086
    said=$(lamina $words 2>&1) && echo "ok without containers: $words" || fault "$words" "$said"
  done
  lamina rmi tiny > /dev/null
  exit $((faults > 0))
fi
echo "ok run"
start=$(date +%s%N)
lamina run --rm --network none tiny true
fact "run --rm, ms" $((($(date +%s%N) - start) / 1000000))

lamina run -d --name c1 tiny sh -c 'i=0; while :; do i=$((i+1)); echo $i > /count; done' > /dev/null
is exec "$(lamina exec c1 echo in 2>&1)" in
has ps "$(lamina ps --format '{{.Names}} {{.Status}}')" 'c1 Up'
has top "$(lamina top c1)" 'while :'
has stats "$(lamina stats --no-stream --format '{{.Name}} {{.MemUsage}}')" 'c1 '
fact stats "$(lamina stats --no-stream --format '{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}')"
lamina pause c1 > /dev/null
one=$(lamina cat c1:/count); two=$(lamina cat c1:/count)
is pause "$one" "$two"
lamina unpause c1 > /dev/null
shim_memory=$(awk '/^Pss:/ {print $2}' "/proc/$(pgrep -n lamina-shim)/smaps_rollup" 2> /dev/null)
fact "shim, kB" "${shim_memory:-?}"
has diff "$(lamina diff c1)" 'A /count'
said=$(lamina commit -q c1 tiny:new 2>&1) || fault commit "$said"
has "what was committed" "$(lamina run --rm tiny:new ls /)" count
lamina rm -f c1 > /dev/null

said=$(lamina run --name oom -m 24m --memory-swap 24m tiny sh -c 'head -c 100m /dev/zero | tail -c 90m > /dev/null; exit 7' 2>&1)
case $said in
  *'imitation discarded'*) fact limits "not kept" ;;
  *)
    fact limits kept
    is "a hog is told of" "$(lamina inspect --format '{{.State.OOMKilled}}' oom)" true
    has "a bomb stays within --pids-limit" "$(lamina run --rm --pids-limit 12 tiny sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 2 & done; wait' 2>&1)" "can't fork"
    fact "processors with --cpuset-cpus 0" "$(lamina run --rm --cpuset-cpus 0 tiny nproc 2>&1 | tr '\n' ' ' | cut -c1-200)"
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] \
      || is "it sees its own limits" "$(lamina run --rm -m 64m --cpus 0.25 tiny cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max 2>&1 | tr '\n' ' ')" '67108864 25000 100000 '
    lamina run -d --name up1 -m 64m tiny sleep 100 > /dev/null
    lamina update -m 32m --memory-swap 32m --cpus 0.5 --pids-limit 30 up1 > /dev/null || fault update "failed"
    fact "stats -m 32m" "$(lamina stats --no-stream --format '{{.MemUsage}}' up1)"
    has "updated stats" "$(lamina stats --no-stream --format '{{.MemUsage}}' up1)" '/ 32MiB'
    ;;
esac
lamina rm -f oom up1 > /dev/null 2>&1
if [ "$(id -u)" = 0 ]; then
  disk=$(stat -c '%Hr %Lr' "$(findmnt -no SOURCE / | grep '^/dev' || echo /dev/null)")
  said=$(lamina run --rm tiny sh -c "mknod /d b $disk && head -c 1 /d" 2>&1) && fault "the disk is out of reach" "$said"
  said=$(lamina run --rm --cap-add MKNOD tiny sh -c "mknod /d b $disk && head -c 1 /d" 2>&1) && fault "the disk is out of reach with MKNOD" "$said"
  has mknod "$(lamina run --rm tiny sh -c 'mknod /n c 1 3 && echo 1 > /n && echo made' 2>&1)" made
  said=$(lamina run --rm --device /dev/loop-control tiny sh -c ': < /dev/loop-control && echo opened' 2>&1)
  has --device "$said" opened
fi
said=$(lamina run --rm --privileged tiny id -u 2>&1); is --privileged "$said" 0
lamina run -d --name web -p 18080:80 tiny sh -c 'mkdir /w; echo page > /w/index.html; httpd -f -h /w' > /dev/null
for _ in 1 2 3 4 5 6 7 8; do
  said=$("$python" -c 'from urllib.request import urlopen; print(urlopen("http://127.0.0.1:18080", timeout=9).read().decode(), end="")' 2>&1) && break
  sleep 0.3
done
is 'a published port' "$said" page
lamina run -d --name keep --restart always tiny sh -c 'sleep 0.2; exit 3' > /dev/null; sleep 1
has restarts "$(lamina inspect --format '{{.RestartCount}}' keep | sed 's/[1-9][0-9]*/several/')" several
lamina snapshot web before > /dev/null || fault snapshot failed
lamina exec web rm -r /w; lamina stop -t 0 web > /dev/null; said=$(lamina rollback web before 2>&1) || fault rollback "$said"
lamina rm -f web keep > /dev/null
lamina rmi tiny:new tiny > /dev/null
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  left=$(find /sys/fs/cgroup -path '*/lamina/*' -type d -user "$(id -u)" 2> /dev/null | head -n 3)
  is 'no group is left' "$left" ''
fi
is 'no mount is left' "$(grep -c " $LAMINA_ROOT" /proc/self/mountinfo)" 0
is 'no shim is left' "$(pgrep -c -u "$(id -u)" lamina-shim)" 0
exit $((faults > 0))
