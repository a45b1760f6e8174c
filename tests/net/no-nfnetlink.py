# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command as on a kernel without netfilter's netlink: its sockets are refused, as the
kernel refuses a protocol that it does not know.

    python3 no-nfnetlink.py COMMAND...      exit status 77: that cannot be done here
"""

import os
import sys

try:
    import ctypes
    import errno
    import struct
except ImportError:  # a small python
    sys.exit(77)
SYS_SOCKET = {"x86_64": 41, "aarch64": 198, "riscv64": 198}.get(os.uname().machine)
if SYS_SOCKET is None:
    sys.exit(77)
NETLINK_NETFILTER = 12
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NR, FIRST, THIRD = 0, 16, 32  # of struct seccomp_data

program = b"".join(
    struct.pack("=HBBI", *i)
    for i in (
        (LOAD, 0, 0, NR),
        (IF_EQUAL, 0, 5, SYS_SOCKET),
        (LOAD, 0, 0, FIRST),
        (IF_EQUAL, 0, 3, 16),  # AF_NETLINK
        (LOAD, 0, 0, THIRD),
        (IF_EQUAL, 0, 1, NETLINK_NETFILTER),
        (RETURN, 0, 0, ERRNO | errno.EPROTONOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    )
)
code = ctypes.create_string_buffer(program)
fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, fprog, 0, 0):
    sys.exit(77)
os.execvp(sys.argv[1], sys.argv[1:])
