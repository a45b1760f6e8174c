#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""weir top on a terminal of its own: top_pty.py WHAT COMMAND...

Makes a terminal of 80x24, runs the command on it and does WHAT with it (a function below);
looks at what it draws, whether it ends as it should, and whether the terminal is as it was.
Exit 0, or 1 with what is wrong."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 60  # s; nothing takes that long, unless the machine does something else
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    def __init__(self, command):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            # the program begins when its terminal has its size
            os.read(0, 1)
            os.execvp(command[0], command)
        self.before = termios.tcgetattr(self.fd)
        self.size(80, 24)
        self.type(b"\n")

    def size(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.fd, keys)

    def read(self, left):
        """False: there is nothing (more)."""
        if not select.select([self.fd], [], [], max(left, 0))[0]:
            return False
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.seen += got
        return bool(got)

    def until(self, text, since=0):
        """Until a whole frame has the text, or, with since 0, any output has it."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen[since:]:
            if not self.read(end - time.monotonic()):
                raise AssertionError("no %r in:\n%r" % (text, self.seen[-3000:]))

    def mark(self):
        return len(self.seen)

    def frames(self):
        """The frames drawn, as lists of lines without their looks; the last may be cut."""
        out = []
        for frame in self.seen.split(b"\x1b[H")[1:]:
            text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", frame)
            out.append(text.decode().replace("\r", "").split("\n"))
        return out

    def end(self, status=0, by_signal=0):
        """It ends so, and the terminal is as before."""
        end = time.monotonic() + PATIENCE
        while True:
            got, how = os.waitpid(self.pid, os.WNOHANG)
            if got:
                break
            assert time.monotonic() < end, "it does not end"
            self.read(0.05)
        while self.read(0):
            pass
        if by_signal:
            assert os.WIFSIGNALED(how) and os.WTERMSIG(how) == by_signal, "ended with %x" % how
        else:
            assert os.WIFEXITED(how) and os.WEXITSTATUS(how) == status, "ended with %x" % how
        self.restored()

    def restored(self):
        assert self.seen.count(ENTER) == self.seen.count(LEAVE), "another screen is left"
        last = self.seen.rindex(LEAVE)
        assert last > self.seen.rindex(ENTER), "the other screen is not left"
        for on in b"\x1b[?25h", b"\x1b[?7h":
            off = on[:-1] + b"l"
            assert self.seen.rindex(on) > self.seen.rindex(off), "%r is not undone" % off
        assert b"\x1b[?7l" not in self.seen[last:]
        now = termios.tcgetattr(self.fd)
        assert now == self.before, "modes: %r\nbefore: %r" % (now, self.before)


def drawn(t):
    t.until(ENTER)
    t.until(b"over the last")
    now = termios.tcgetattr(t.fd)
    assert not now[3] & (termios.ECHO | termios.ICANON), "keys are echoed"


def keys(t):
    drawn(t)
    for key, text in (
        (b"s", b"s sort: rate"),
        (b"s", b"s sort: backlog"),
        (b"?", b"Any key goes back"),
        (b"x", b"s sort: backlog"),
        (b" ", b"space go on"),
        (b"\x1b[B\x1b[6~\x1b[A\x1b[H", b"space go on"),
        (b" ", b"space pause"),
    ):
        at = t.mark()
        t.type(key)
        t.until(text, at)
    t.type(b"q")
    t.end()


def control_c(t):
    drawn(t)
    t.type(b"\x03")
    t.end()


def by_signal(t, sig, fatal=False):
    drawn(t)
    os.kill(t.pid, sig)
    t.end(by_signal=sig if fatal else 0)


def resize(t):
    drawn(t)
    for columns, rows in ((40, 8), (19, 24), (200, 50), (30, 5)):
        at = t.mark()
        t.size(columns, rows)
        # a frame that began after the new size is known: the second from now on
        t.until(b"\x1b[H", at)
        at = t.seen.index(b"\x1b[H", at) + 3
        t.until(b"\x1b[H", at)
        at = t.seen.index(b"\x1b[H", at) + 3
        t.until(b"\x1b[H", at)
        frame = t.frames()[-2]
        while frame and not frame[-1]:
            frame.pop()
        assert len(frame) <= rows, "%d lines of %d" % (len(frame), rows)
        widest = max(len(line) for line in frame)
        assert widest <= columns, "%d columns of %d:\n%s" % (widest, columns, "\n".join(frame))
    t.type(b"q")
    t.end()


def job(t):
    """Stopped by Ctrl-Z and brought back: the command is a shell that does so."""
    drawn(t)
    t.type(b"\x1a")
    t.until(b"STOPPED")
    t.restored()
    at = t.mark()
    t.type(b"\n")
    t.until(ENTER, at)
    t.until(b"over the last", at)
    t.type(b"q")
    t.until(b"DONE 0")
    t.end()


def gone(t):
    """The gateway ends; something that waits for a file starts it again."""
    drawn(t)
    at = t.mark()
    print("drawn", flush=True)
    t.until(b"NO ANSWER", at)
    print("gone", flush=True)
    at = t.mark()
    t.until(b"started anew", at)
    at = t.mark()
    t.until(b"over the last", at)
    assert "NO ANSWER" not in "".join(t.frames()[-1])
    t.type(b"q")
    t.end()


def silent(t):
    """A gateway that is stopped holds up nobody."""
    drawn(t)
    at = t.mark()
    print("drawn", flush=True)
    t.until(b"is silent", at)
    t.type(b"q")
    t.end()


def counted(t):
    """--count on a terminal: the last table stays."""
    drawn(t)
    t.end()
    assert b"over the last" in t.seen[t.seen.rindex(LEAVE):], "no table is left"


def never(t):
    """No gateway: nothing is drawn at all."""
    t.until(b"no gateway answers")
    end = time.monotonic() + PATIENCE
    how = os.waitpid(t.pid, 0)[1]
    assert os.WEXITSTATUS(how) == 2 and time.monotonic() < end
    assert ENTER not in t.seen


def dumb(t):
    """A terminal that cannot be drawn on gets plain tables."""
    t.until(b"over the last")
    how = os.waitpid(t.pid, 0)[1]
    while t.read(0):
        pass
    assert os.WEXITSTATUS(how) == 0
    assert b"\x1b" not in t.seen, "escape codes"


WHAT = {
    "keys": keys,
    "control-c": control_c,
    "term": lambda t: by_signal(t, signal.SIGTERM),
    "hup": lambda t: by_signal(t, signal.SIGHUP),
    "quit": lambda t: by_signal(t, signal.SIGQUIT),
    "abort": lambda t: by_signal(t, signal.SIGABRT, True),
    "resize": resize,
    "job": job,
    "gone": gone,
    "silent": silent,
    "counted": counted,
    "never": never,
    "dumb": dumb,
}

terminal = Terminal(sys.argv[2:])
try:
    WHAT[sys.argv[1]](terminal)
except AssertionError as e:
    print(e)
    try:
        os.kill(terminal.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    sys.exit(1)
