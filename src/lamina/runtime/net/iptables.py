"""iptables, for machines where it rules: what passes is accepted, and translated if need be.

Its rules belong to nobody. Those of one network carry a comment with its tag, by which they are
found and removed; the pair that lets all our networks pass stays, one for the machine.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from lamina.runtime.net.addresses import Pool
from lamina.runtime.programs import which

__all__ = ["install", "legacy", "let_through", "remove"]

_CHAIN = "LAMINA-FORWARD"
_ANY = "lm+"
_PATIENCE_S = 30


def legacy() -> bool:
    """Tell whether the older kind of iptables filters packets in our namespace."""
    with suppress(OSError), open("/proc/net/ip_tables_names", encoding="utf-8") as file:
        return "filter" in file.read().split()
    return False


def let_through(out: str, pools: Sequence[Pool]) -> str:
    """Have what FORWARD is asked about pass to and from our networks; give what went wrong."""
    for pool in pools:
        if problem := _let_through(_program(pool), out, always=False):
            return problem
    return ""


def install(tag: str, out: str, pools: Sequence[Pool], *, translate: bool = True) -> str:
    """Do all that a network needs by iptables alone; give what went wrong."""
    remove(tag)
    mark = ("-m", "comment", "--comment", f"lamina-{tag}")
    for pool in pools:
        program = _program(pool)
        problem = _let_through(program, out)
        rules: list[tuple[str, ...]] = [
            ("-I", _CHAIN, "-o", out, "-m", "conntrack", "--ctstate", "NEW", *mark, "-j", "DROP")
        ]
        if translate:
            outwards = ("-s", pool.subnet, "!", "-o", out)
            rules.append(("-t", "nat", "-A", "POSTROUTING", *outwards, *mark, "-j", "MASQUERADE"))
        for rule in rules:
            problem = problem or _run(program, *rule)[0]
        if problem:
            remove(tag)
            return problem
    return ""


def remove(tag: str) -> None:
    """Take away the rules of one network, also those of a process that was killed."""
    for program in filter(None, map(_found, ("iptables", "ip6tables"))):
        for table, chain in (("filter", _CHAIN), ("nat", "POSTROUTING")):
            for line in _run(program, "-t", table, "-S", chain)[1]:
                words = [word.strip('"') for word in line.split()]
                if f"lamina-{tag}" in words and words[0] == "-A":
                    _run(program, "-t", table, "-D", *words[1:])


def _let_through(program: str, out: str, *, always: bool = True) -> str:
    if not program:
        return "iptables is not installed"
    problem, there = _run(program, "-S")
    about = [row for row in there if row.startswith(("-P FORWARD", "-A FORWARD"))]
    if problem or (not always and about == ["-P FORWARD ACCEPT"]):
        return problem
    wanted = []
    if f"-N {_CHAIN}" not in there:
        wanted.append(f"-N {_CHAIN}")
    if f"-A FORWARD -j {_CHAIN}" not in there:
        wanted.append(f"-I FORWARD -j {_CHAIN}")
    for name in [_ANY] if out.startswith(_ANY[:-1]) else [_ANY, out]:
        wanted += [
            rule
            for rule in (
                f"-A {_CHAIN} -i {name} -j ACCEPT",
                f"-A {_CHAIN} -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            )
            if rule not in there
        ]
    for rule in wanted:
        if problem := _run(program, *rule.split())[0]:
            return problem
    return ""


def _program(pool: Pool) -> str:
    return _found("ip6tables" if ":" in pool.base else "iptables")


def _found(name: str) -> str:
    """Give the kind of iptables whose rules are in force."""
    older = which(f"{name}-legacy") if legacy() else ""
    return older or which(name)


def _run(program: str, *arguments: str) -> tuple[str, list[str]]:
    """Run it; give what it complains of, or nothing, and the lines that it prints."""
    import subprocess

    done = subprocess.run(
        [program, "-w", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode == 0:
        return "", done.stdout.splitlines()
    return f"{os.path.basename(program)}: {done.stderr.strip()[:200] or 'failed'}", []
