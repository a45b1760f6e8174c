# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command as a systemd unit would, as far as one process can do that to itself.

    python3 confine.py UNIT[,DROP-IN...] COMMAND...    exit 77: that cannot be done here

Done: CapabilityBoundingSet, NoNewPrivileges, UMask, LimitCORE, LimitRTPRIO, SystemCallFilter with
systemd's own groups, RestrictAddressFamilies, RestrictNamespaces, MemoryDenyWriteExecute,
ProtectSystem=strict with RuntimeDirectory, ProtectKernelTunables and InaccessiblePaths. The
others take a cgroup, or hide what weir does not look at.
"""

import ctypes
import errno
import os
import resource
import subprocess
import sys

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NO_SUCH_CALL = 0x00050000 | errno.ENOSYS
MASKED_EQ, EQ, GT = 7, 4, 6
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
NAMESPACES = {"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000,
              "pid": 0x20000000, "user": 0x10000000, "uts": 0x04000000}
CAPS = {"CAP_CHOWN": 0, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8,
        "CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_CAPBSET_DROP = 38, 23, 24
SYS_MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE, ATTR_RDONLY = -100, 0x8000, 1
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def read_unit(files):
    """Each key of [Service] with its lines; an empty one takes back those before it."""
    keys = {}
    for name in files:
        section = ""
        with open(name, encoding="utf-8") as lines:
            for line in map(str.strip, lines):
                if line.startswith("["):
                    section = line
                elif section == "[Service]" and "=" in line and not line.startswith("#"):
                    key, value = line.split("=", 1)
                    keys[key] = keys.get(key, []) + [value] if value else []
    return keys


def members(name):
    """A system call, or those of a group."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name],
                         capture_output=True, text=True, check=True).stdout
    calls = set()
    for word in (line.strip() for line in out.splitlines()[1:]):
        if word and not word.startswith("#"):
            calls |= members(word)
    return calls


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


class Filter:
    """One filter of libseccomp."""

    def __init__(self, lib, default):
        self.lib = lib
        self.ctx = ctypes.c_void_p(lib.seccomp_init(default))

    def rule(self, action, call, *compare):
        nr = self.lib.seccomp_syscall_resolve_name(call.encode())
        if nr < 0:  # not of this processor
            return
        v = (Compare * max(1, len(compare)))(*compare)
        if self.lib.seccomp_rule_add_array(self.ctx, action, nr, len(compare), v):
            sys.exit(f"confine: no rule for {call}")

    def load(self):
        if self.lib.seccomp_load(self.ctx):
            sys.exit(77)


def library():
    try:
        lib = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        sys.exit(77)
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int,
                                           ctypes.c_uint, ctypes.c_void_p]
    lib.seccomp_load.argtypes = [ctypes.c_void_p]
    return lib


def arguments(lib, unit):
    """What may be called, but not with every argument."""
    f = Filter(lib, ALLOW)
    families = {FAMILIES[w] for line in unit["RestrictAddressFamilies"] for w in line.split()}
    for number in set(range(64)) - families:
        f.rule(REFUSE, "socket", Compare(0, EQ, number, 0))
    f.rule(REFUSE, "socket", Compare(0, GT, 63, 0))
    words = {w for line in unit["RestrictNamespaces"] for w in line.split()} - {"yes"}
    for name in set(NAMESPACES) - words:
        flag = NAMESPACES[name]
        for call, arg in (("unshare", 0), ("clone", 0), ("setns", 1)):
            f.rule(REFUSE, call, Compare(arg, MASKED_EQ, flag, flag))
    f.rule(REFUSE, "setns", Compare(1, EQ, 0, 0))
    f.rule(NO_SUCH_CALL, "clone3")
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        f.rule(REFUSE, "mmap", Compare(2, MASKED_EQ, 6, 6))
        f.rule(REFUSE, "mprotect", Compare(2, MASKED_EQ, 4, 4))
    return f


def calls(lib, unit):
    allowed = set()
    for line in unit["SystemCallFilter"]:
        names = set().union(*map(members, line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    f = Filter(lib, REFUSE)
    for name in sorted(allowed | members("@default")):
        f.rule(ALLOW, name)
    return f


def set_read_only(path, on):
    attr = (ctypes.c_uint64 * 4)(ATTR_RDONLY if on else 0, 0 if on else ATTR_RDONLY, 0, 0)
    if libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE, attr, 32):
        sys.exit(77)


def bind(what, where):
    if libc.mount(what.encode(), where.encode(), None, MS_BIND, None):
        sys.exit(77)


def mounts(unit):
    run = "/run/" + unit["RuntimeDirectory"][0]
    if libc.unshare(NAMESPACES["mnt"]) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        sys.exit(77)
    os.makedirs(run, exist_ok=True)
    bind(run, run)
    set_read_only("/", True)
    for path in (run, "/dev"):
        set_read_only(path, False)
    for path in " ".join(unit["InaccessiblePaths"]).split():
        path = path.lstrip("-")
        if os.path.isfile(path):
            bind("/dev/null", path)


def limits(unit):
    core, rtprio = int(unit["LimitCORE"][-1]), int(unit["LimitRTPRIO"][-1])
    resource.setrlimit(resource.RLIMIT_CORE, (core, core))
    hard = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    if hard >= rtprio or hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_RTPRIO, (rtprio, rtprio))
    os.umask(int(unit["UMask"][-1], 8))


def capabilities(unit):
    keep = {CAPS[w] for line in unit["CapabilityBoundingSet"] for w in line.split()}
    for cap in range(64):
        if cap not in keep and libc.prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0:
            libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)


def main():
    unit, lib = read_unit(sys.argv[1].split(",")), library()
    last, first = calls(lib, unit), arguments(lib, unit)
    mounts(unit)
    limits(unit)
    capabilities(unit)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit(77)
    first.load()
    last.load()
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
