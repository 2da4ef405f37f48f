"""The machine's packet filter, seen from one network: translate what goes out, keep others away.

`nftables` is the kernel's own, spoken to directly; `iptables` a program, for kernels that have
nothing newer, whose rules stay when we are killed and are swept by who comes next. Whichever it is:
a machine that refuses to forward (Docker's and ufw's policy DROP) gets a pair of rules that lets
networks of ours pass; it stays, as `ip_forward` does.
"""

import zlib
from collections.abc import Sequence

from lamina.runtime.net import firewalld, iptables
from lamina.runtime.net.addresses import Pool
from lamina.runtime.net.nftables import (
    Rule,
    Table,
    arrives,
    drop,
    forward_refusals,
    leaves,
    masquerade,
    new_connection,
    source,
)

__all__ = ["KINDS", "PREFIX", "Firewall"]

KINDS = ("nftables", "iptables", "none")
"""What LAMINA_FIREWALL takes."""

PREFIX = "lm"
"""How the machine's ends of networks' cables are called."""


class Firewall:
    """The rules of one network, which is behind the interface `out` of the machine.

    `note` says what the machine's filter refuses to do for it.
    """

    def __init__(self, out: str, *, kind: str = "") -> None:
        self.note = ""
        self._out = out
        self._kind = kind
        self._tag = f"{zlib.crc32(out.encode()):08x}"
        self._table: Table | None = None
        self._iptables = False

    def open(self, pools: Sequence[Pool], *, translate: bool = True) -> None:
        """Put the rules in place. The table of nftables goes with this process."""
        if self._kind == "none":
            self.note = "no rules are made: LAMINA_FIREWALL=none"
            return
        trouble = "" if self._kind == "iptables" else self._own_table(pools, translate=translate)
        if trouble and self._kind == "nftables":
            self.note = f"no way out: nftables: {trouble}"
        elif trouble or self._kind == "iptables":
            trouble2 = iptables.install(self._tag, self._out, pools, translate=translate)
            self._iptables = not trouble2
            self.note = trouble2 and "no way out: " + "; ".join(
                filter(None, (trouble and f"nftables: {trouble}", trouble2))
            )
        else:
            self._be_let_through(pools)

    def close(self) -> None:
        """Take the rules back."""
        if self._table:
            self._table.close()
            self._table = None
        if self._iptables:
            iptables.remove(self._tag)
            self._iptables = False

    def _own_table(self, pools: Sequence[Pool], *, translate: bool) -> str:
        """Make a table of our own; give what the kernel has against it."""
        outwards: list[Rule] = []
        if translate:
            outwards = [
                (*source(pool.base, pool.prefix), *leaves(self._out, other=True), *masquerade())
                for pool in pools
            ]
        through: list[Rule] = [
            (*leaves(self._out), *new_connection(), *drop()),
            (*arrives(self._out), *leaves(f"{PREFIX}*"), *drop()),
        ]
        try:
            self._table = Table(f"lamina_{self._tag}")
            self._table.install(translate=outwards, forward=through)
        except OSError as error:
            if self._table:
                self._table.close()
                self._table = None
            return str(error.strerror or error)
        return ""

    def _be_let_through(self, pools: Sequence[Pool]) -> None:
        """Deal with a machine that forwards nothing: our accepting does not overrule that."""
        refusing = forward_refusals()
        own = [table for table, _ in refusing]
        if ("filter", "FORWARD") in refusing or iptables.legacy():
            self.note = iptables.let_through(self._out, pools)
        elif firewalld.TABLE in own:
            if not firewalld.lets_through(PREFIX):
                self.note = (
                    "firewalld keeps packets from leaving: "
                    f"`firewall-cmd --permanent --zone=trusted --add-interface={PREFIX}+ && firewall-cmd --reload`"
                )
        elif refusing:
            table, chain = refusing[0]
            self.note = (
                f"the machine's firewall forwards nothing (table {table}, chain {chain}): "
                f"let it accept the interfaces {PREFIX}*"
            )
