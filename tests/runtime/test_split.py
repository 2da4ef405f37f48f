"""A copy of a process keeps what it was given and nothing else."""

import json
import os
import subprocess
import sys
import threading

from lamina.runtime.split import can_split

PROGRAM = """
import json, os, socket, sys
from lamina.runtime.split import can_split, retitle, split
assert can_split(202)
kept = [open("/dev/zero"), socket.socket(), open(os.devnull, "w")]
own, theirs = os.pipe()
pid = split({200: theirs})
if pid == 0:
    retitle("shim", "word")
    found = {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if
             os.path.exists(f"/proc/self/fd/{name}")}
    line = open("/proc/self/cmdline", "rb").read().rstrip(b"\\0").split(b"\\0")
    facts = {"files": found, "line": [word.decode() for word in line]}
    os.write(200, json.dumps(facts).encode())
    os._exit(7)
os.close(theirs)
print(json.dumps({**json.loads(os.read(own, 65536)), "code": os.waitstatus_to_exitcode(
    os.waitpid(pid, 0)[1]), "mine": len(kept) + kept[0].fileno()}))
"""


def test_the_copy_has_other_words_and_only_the_files_it_was_given():
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "secret-word"], check=True, capture_output=True, text=True
    )
    facts = json.loads(ran.stdout)
    assert facts["code"] == 7
    assert facts["line"] == ["shim", "word"]
    assert {name: facts["files"][name] for name in "012"} == dict.fromkeys("012", os.devnull)
    assert set(facts["files"]) == {"0", "1", "2", "200"}


def test_a_process_with_threads_is_not_copied():
    ready = threading.Event()
    thread = threading.Thread(target=ready.wait)
    thread.start()
    assert not can_split(3)
    ready.set()
    thread.join()
