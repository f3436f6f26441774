"""Programs that attack the machine, the harness, each other: real attacks, and nothing comes of it.

Each is run in its sandbox as a submission is. Another program runs beside it, which must not
notice anything; and when the test is over nothing is left.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Iterator

import pytest
from hostile import TRIED, WITNESS, nothing_left, program
from workbench import World

from labkit import sandbox
from labkit.feedback import Mismatch
from labkit.paths import LABS, REPO
from labkit.processes import pid_of
from labkit.program import Program
from labkit.scenario import Scenario


@pytest.fixture
def attacked(world: World, workspace: Path) -> Iterator["Attacked"]:
    """Makes a scenario with a program that attacks and a witness."""
    made: list[Attacked] = []

    def make(text: str) -> Attacked:
        made.append(Attacked(world(prog=text, witness=WITNESS)))
        return made[-1]

    yield make  # type: ignore[misc]
    for attack in made:
        with nothing_left(attack.lab):
            attack.expect_witness()


class Attacked:
    """A scenario in which `prog` attacks and `witness` must not notice anything."""

    def __init__(self, lab: Scenario) -> None:
        self.lab = lab
        self.witness = lab.start("witness")

    def start(self) -> Program:
        return self.lab.start("prog")

    def lines(self, count: int) -> list[str]:
        """What the attack says: COUNT lines, and it goes on."""
        attacker = self.start()
        self.lab.wait_for(lambda: attacker.stdout.count(b"\n") >= count, "lines",
                          lambda: str(attacker.stdout + attacker.stderr))
        return attacker.stdout.decode(errors="replace").splitlines()

    def expect_excess(self, cause: str) -> None:
        """The attacker is ended by the harness, for CAUSE, which is what feedback tells."""
        attacker = self.start()
        self.lab.take_longer(60)  # on a busy machine much takes its time
        with pytest.raises(Mismatch) as caught:
            self.lab.wait_for(lambda: False, "", lambda: "")
        assert attacker.excess is not None and attacker.excess.cause == cause
        assert caught.value.cause == cause and "it was ended: it used" in caught.value.seen
        self.lab.wait_gone(attacker)
        assert attacker.exit is not None and attacker.exit.signal == 9

    def expect_witness(self) -> None:
        """The witness is there and answers; it has done nothing else."""
        self.lab.take_longer(20)
        self.witness.write(b"still here\n")
        self.lab.expect_line(self.witness, "still here")
        assert self.witness.exit is None and not self.witness.stderr


# -- Too much of everything -------------------------------------------------------


TOO_MUCH = {
    "a-fork-bomb": ("too-many-processes", program("for (;;) fork()")),
    "a-fork-bomb-of-sessions": ("too-many-processes",
                                program("for (;;) if (fork() == 0) setsid()")),
    "a-fork-bomb-that-leaves-its-parent": ("too-many-processes", program(
        "if (fork() > 0) pause()", "for (;;) fork()")),
    "processes-that-wait": ("too-many-processes", program(
        "for (;;) if (fork() == 0) pause()")),
    "memory": ("too-much-memory", program("for (;;) memset(malloc(1 << 20), 1, 1 << 20)")),
    "memory-of-many": ("too-much-memory", program(
        "for (int i = 0; i < 50; i++) if (fork() == 0) { memset(malloc(32 << 20), 1, 32 << 20);"
        " pause(); }", "pause()")),
    "memory-that-is-shared": ("too-much-memory", program(
        "char *p = mmap(NULL, 1 << 30, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)",
        "memset(p, 1, 1 << 30)", "pause()")),
    "memory-of-segments": ("too-much-memory", program(
        "for (;;) { char *p = shmat(shmget(IPC_PRIVATE, 16 << 20, 0600), NULL, 0);"
        " memset(p, 1, 16 << 20); shmdt(p); }")),
    "memory-of-memfds": ("too-much-memory", program(
        "static char data[1 << 20]", 'int fd = memfd_create("x", 0)',
        "for (int n = 1;; n++) { if (n % 16 == 0) fd = memfd_create(\"x\", 0);"
        " if (write(fd, data, sizeof data) < 0) pause(); }")),
    "memory-of-one-memfd-that-is-resized": ("too-much-memory", program(
        'int fd = memfd_create("x", 0)', "if (fallocate(fd, 0, 0, 200 << 20) == 0) pause()")),
    "sessions-that-work": ("too-many-processes", program(
        "for (int n = 0; n < 50; n++) if (fork() == 0) { setsid(); for (;;); }", "pause()")),
    "memory-that-nobody-may-look-at": ("too-much-memory", program(
        "prctl(PR_SET_DUMPABLE, 0)", "for (;;) memset(malloc(1 << 20), 1, 1 << 20)")),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_is_ended(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With less than in grading: this machine may be small, and busy with other tests."""
    monkeypatch.setitem(sandbox.RUN_LIMITS, "memory", 128 << 20)
    monkeypatch.setitem(sandbox.RUN_LIMITS, "nproc", 400)
    monkeypatch.setattr("labkit.scenario.programs.PROCESSES", 200)
    monkeypatch.setattr("labkit.scenario.world.SPIN", 60.0)  # which is another end of a test
    cause, text = TOO_MUCH[name]
    attacked(text).expect_excess(cause)


@pytest.mark.parametrize("crowd", [
    "if (fork() == 0) for (;;);",
    "{ pthread_t t; pthread_create(&t, NULL, spin, NULL); }"], ids=["processes", "threads"])
def test_a_crowd_that_works_is_ended(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch, crowd: str
) -> None:
    monkeypatch.setitem(sandbox.RUN_LIMITS, "work", 1)
    text = program(f"for (int i = 0; i < 70; i++) {crowd}", "pause()")
    spin = "static inline void *spin(void *p)\n{\n    for (;;);\n    return p;\n}\n"
    attacked(text.replace("int main(", spin + "int main(")).expect_excess("too-many-processes")


def test_what_children_share_is_counted_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with a large table and many child processes uses it once."""
    monkeypatch.setitem(sandbox.RUN_LIMITS, "memory", 256 << 20)
    lab = world(prog=program(
        "memset(malloc(64 << 20), 1, 64 << 20)",
        "for (int i = 0; i < 30; i++) if (fork() == 0) pause()", 'say("there")', "pause()"))
    server = lab.start("prog")
    lab.expect_line(server, "there")
    lab.wait_blocked(server)
    with pytest.raises(Mismatch):
        lab.wait_for(lambda: False, "", lambda: "")  # until nothing moves any more
    assert server.excess is None and server.exit is None
    assert server.memory().private > 1 << 30


@pytest.mark.parametrize("where", ["/tmp", "/dev/shm"])
def test_a_disk_in_memory_is_small(attacked: type[Attacked], where: str) -> None:
    place = f"{where}/labkit-selftest-{os.getpid()}"
    [told] = attacked(program(
        "static char data[1 << 20]", f'int n = 0, fd = open("{place}", O_CREAT | O_WRONLY, 0600)',
        "while (n < 1000 && write(fd, data, sizeof data) == sizeof data) n++",
        'say("%d %s", n, strerror(errno))', "pause()")).lines(1)
    assert told == "64 No space left on device"
    assert not os.path.exists(place)


def test_a_disk_in_memory_is_watched_where_bwrap_cannot_bound_it(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bwrap 0.6 of Ubuntu 22.04."""
    monkeypatch.setattr(sandbox, "_bwrap_options", lambda bwrap: frozenset())
    monkeypatch.setitem(sandbox.RUN_LIMITS, "memory", 128 << 20)
    attacked(program(
        "static char data[1 << 20]", 'int fd = open("/tmp/x", O_CREAT | O_WRONLY, 0600)',
        "for (;;) if (write(fd, data, sizeof data) < 0) pause()")).expect_excess("too-much-memory")


@pytest.mark.parametrize("where", ["/dev/x", "/lab/x", "/x", "/run/x", "/etc/x", "/usr/x",
                                   "/proc/sys/kernel/x", "/var/x", "/home/x"])
def test_there_is_nowhere_else_to_write(attacked: type[Attacked], where: str) -> None:
    [told] = attacked(program(f'open("{where}", O_CREAT | O_WRONLY, 0600)', TRIED)).lines(1)
    assert told in ("Read-only file system", "Permission denied", "No such file or directory")


def test_a_file_has_a_largest_size(attacked: type[Attacked]) -> None:
    """Also a sparse one, and one in a folder of the test's."""
    [told] = attacked(program(
        "signal(SIGXFSZ, SIG_IGN)", 'int fd = open("/tmp/x", O_CREAT | O_WRONLY, 0600)',
        "if (ftruncate(fd, 5L << 30) == 0) errno = 0", TRIED)).lines(1)
    assert told == "File too large"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_is_ended(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    monkeypatch.setattr("labkit.program.OUTPUT_LIMIT", 1 << 20)
    attacked(program(f'for (;;) fputs("spam ", {stream})')).expect_excess("too-much-output")


def test_no_core_is_dumped(attacked: type[Attacked]) -> None:
    """Not into a file, and not to the system's own collector: a limit of 1 keeps it out, too."""
    attack = attacked(program(
        "struct rlimit core", "getrlimit(RLIMIT_CORE, &core)",
        'say("%d %d", (int)core.rlim_cur, (int)core.rlim_max)', 'chdir("/tmp") < 0 ? 0 : abort()'))
    attacker = attack.start()
    attack.lab.wait_gone(attacker)
    assert attacker.stdout == b"1 1\n"
    assert attacker.exit is not None and attacker.exit.signal == 6


# -- Others ---------------------------------------------------------------------------


def test_killing_everybody_kills_nobody_else(attacked: type[Attacked]) -> None:
    attack = attacked(program("kill(-1, SIGKILL)", "kill(1, SIGKILL)", "kill(1, SIGSTOP)",
                              "for (int pid = 2; pid < 40000; pid++)"
                              " if (pid != getpid()) kill(pid, SIGKILL)", 'say("done")'))
    attacker = attack.start()
    attack.lab.wait_gone(attacker)
    assert attacker.stdout in (b"", b"done\n")
    assert pid_of(attack.lab.network._first) > 0


@pytest.mark.parametrize("way", [
    "signal(SIGTERM, SIG_IGN), signal(SIGINT, SIG_IGN), signal(SIGHUP, SIG_IGN)",
    "fork() > 0 ? _exit(0) : (void)setsid(); fork() > 0 ? _exit(0) : (void)0",
    "fork() > 0 ? _exit(0) : (void)setpgid(0, 0)",
    "if (vfork() == 0) execl(argv[0], argv[0], NULL)",
], ids=["ignores-signals", "daemon", "own-group", "again-and-again"])
def test_what_will_not_die_dies_with_its_test(attacked: type[Attacked], way: str) -> None:
    """The fixture sees that nothing is left."""
    attack = attacked(program(way, "for (;;) pause()"))
    attacker = attack.start()
    attacker.send_signal(15)
    if "fork" in way:
        attack.lab.wait_for(lambda: attacker.processes() == 1 or attacker.has_ended, "", str)


def test_no_other_process_can_be_seen_or_traced(attacked: type[Attacked]) -> None:
    """Not the witness, not the harness; and pid 1, which is the sandbox's own, is out of reach."""
    told = attacked(program(
        "int seen = 0", "for (int pid = 1; pid < 40000; pid++) seen += kill(pid, 0) == 0",
        'say("%d", seen)', "ptrace(PTRACE_ATTACH, 1, NULL, NULL)", TRIED,
        'open("/proc/1/mem", O_RDWR)', TRIED, 'open("/proc/1/environ", O_RDONLY)', TRIED,
        'readlink("/proc/1/cwd", (char[9]){0}, 8)', TRIED, "pause()")).lines(5)
    assert told == ["2", "Operation not permitted", *["Permission denied"] * 3]


def test_descriptors_are_its_own_three(attacked: type[Attacked]) -> None:
    told = attacked(program(
        "for (int fd = 3; fd < 20000; fd++) if (write(fd, \"x\", 1) == 1 || errno != EBADF)"
        ' say("%d", fd)', 'say("end")', "pause()")).lines(1)
    assert told == ["end"]


SECRETS = [str(path) for path in (
    REPO, REPO / "harness" / "tests", LABS, "/root", "/home", "/srv", "/opt", "/mnt", "/media",
    "/var", "/etc/shadow", "/etc/hostname", "/etc/ssh", "/proc/1/root", "/sys", "/boot")]


def test_no_tests_solutions_homes_or_settings_are_seen(
    attacked: type[Attacked], workspace: Path
) -> None:
    """Nor the folder of this run, in which other submissions' programs and the results lie."""
    places = [*SECRETS, str(workspace), str(workspace / "submission")]
    told = attacked(program(*(
        f'say("%s", open("{place}", O_RDONLY) < 0 ? "no" : "{place}")' for place in places),
        "pause()")).lines(len(places))
    assert set(told) == {"no"}


@pytest.mark.parametrize("top", ["/usr/local/src/labs", "/usr/labs"])
def test_a_suite_that_is_installed_with_the_system_is_hidden(
    monkeypatch: pytest.MonkeyPatch, top: str
) -> None:
    monkeypatch.setattr(sandbox, "REPO", Path(top))
    argv = " ".join(sandbox.run_argv(Path("/work"), Path("/lab"), ["./prog"]))
    assert argv.index("--ro-bind /usr /usr") < argv.index(f"--tmpfs {top} --remount-ro {top}")


def test_as_the_real_root_it_is_nobody_outside(attacked: type[Attacked]) -> None:
    """Seen from the host: every id of every process of the sandbox, and of its files."""
    attack = attacked(program("fork()", 'close(open("/tmp/x", O_CREAT, 0600))', 'say("made")',
                              "pause()"))
    attacker = attack.start()
    attack.lab.wait_for(lambda: attacker.stdout.count(b"\n") == 2, "", str)
    owner = sandbox.GUEST_ID if sandbox.guests_switch() else os.geteuid()
    for pid in attacker._tree():
        status = Path(f"/proc/{pid}/status").read_text()
        for name in ("Uid", "Gid") if sandbox.guests_switch() else ("Uid",):
            ids = next(line for line in status.splitlines() if line.startswith(name)).split()[1:]
            assert set(ids) == {str(owner)}
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
        assert os.stat(f"/proc/{pid}/root/tmp/x").st_uid == owner


@pytest.mark.parametrize("call", [
    "unshare(CLONE_NEWUSER)", "unshare(CLONE_NEWNS)", "unshare(CLONE_NEWNET)",
    'setns(open("/proc/self/ns/net", O_RDONLY), 0)',
    'mount("x", "/tmp", "tmpfs", 0, NULL)', 'chroot("/tmp")', 'sethostname("x", 1)',
    "syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)",
    "syscall(SYS_clone3, (uint64_t[11]){CLONE_NEWUSER}, 88)",
    "syscall(SYS_bpf, 0, 0, 0)", "syscall(SYS_io_uring_setup, 1, 0)",
    "setuid(0)", "setpriority(PRIO_PROCESS, 0, -5)",
    "setrlimit(RLIMIT_NPROC, &(struct rlimit){1 << 20, 1 << 20})",
])
def test_no_call_leads_out(attacked: type[Attacked], call: str) -> None:
    """Also not into namespaces of its own, where it would be root and had what it likes."""
    [told] = attacked(program(f'say("%s", {call} < 0 ? "refused" : "done")')).lines(1)
    assert told == "refused"


def test_a_daemon_has_a_session_of_its_own(attacked: type[Attacked]) -> None:
    told = attacked(program(
        "int before = getsid(0)", "if (fork() > 0) pause()",
        "int mine = setsid() == getpid()", 'say("%d %d", mine, getsid(0) == before)',
        "pause()")).lines(1)
    assert told == ["1 0"]


def test_sessions_are_counted_while_they_last(attacked: type[Attacked]) -> None:
    """A thousand would have a thousand shares of the processor (sched(7), autogroup)."""
    told = attacked(program(
        "for (int n = 0; n < 100; n++) { pid_t pid = fork();"
        " if (pid == 0) _exit(setsid() < 0); waitpid(pid, NULL, 0); }", 'say("one by one")',
        "for (int n = 0; n < 30; n++) if (fork() == 0) { setsid(); pause(); }",
        'say("as many as it may have")', "pause()")).lines(2)
    assert told == ["one by one", "as many as it may have"]


def test_a_memfd_holds_what_is_written_and_is_counted_once(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is mapped, and where many processes have it."""
    monkeypatch.setitem(sandbox.RUN_LIMITS, "memory", 128 << 20)
    attack = attacked(program(
        'int fd = memfd_create("list", MFD_CLOEXEC)', "ftruncate(fd, 80 << 20) ? abort() : 0",
        "memset(mmap(NULL, 80 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 7, 80 << 20)",
        "for (int i = 0; i < 10; i++) if (fork() == 0) pause()",
        "char last", "ssize_t got = pread(fd, &last, 1, (80 << 20) - 1)",
        'say("%zd %d", got, last)', "pause()"))
    attacker = attack.start()
    attack.lab.expect_line(attacker, "1 7")
    with pytest.raises(Mismatch):
        attack.lab.wait_for(lambda: False, "", lambda: "")  # until nothing moves any more
    assert attacker.excess is None and attacker.exit is None


@pytest.mark.parametrize("call", [
    "unshare(CLONE_NEWUSER)", "syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)"])
def test_labinit_refuses_namespaces_where_bwrap_cannot(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """As bwrap 0.6 of Ubuntu 22.04."""
    monkeypatch.setattr(sandbox, "_bwrap_options", lambda bwrap: frozenset())
    [told] = attacked(program(f'say("%s", {call} < 0 ? "refused" : "done")')).lines(1)
    assert told == "refused"


def test_the_kernel_is_told_whom_to_end_first(attacked: type[Attacked]) -> None:
    attack = attacked(program('say("there")', "pause()"))
    attacker = attack.start()
    attack.lab.expect_line(attacker, "there")
    assert Path(f"/proc/{attacker.pid}/oom_score_adj").read_text() == "1000\n"


# -- The network ------------------------------------------------------------------


def test_the_hosts_network_is_not_there(attacked: type[Attacked]) -> None:
    """A port that listens outside, on each of the host's addresses; an abstract unix socket."""
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("0.0.0.0", 0))
        tcp.listen()
        name = f"labkit-{os.getpid()}"
        unix.bind(f"\0{name}")
        unix.listen()
        to = ", ".join(['.sin_family = AF_INET', f'.sin_port = htons({tcp.getsockname()[1]})'])
        told = attacked(program(
            f"struct sockaddr_in in = {{{to}}}", "inet_aton(argv[0], &in.sin_addr)",
            "for (const char *a[] = {\"127.0.0.1\", \"192.168.0.1\", \"10.0.0.1\", \"8.8.8.8\", 0},"
            " **p = a; *p; p++) { inet_aton(*p, &in.sin_addr);"
            ' say("%d", connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&in, sizeof in)); }',
            f'struct sockaddr_un un = {{AF_UNIX, "\\0{name}"}}',
            f'say("%d", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, {3 + len(name)}))',
            "pause()")).lines(5)
    assert told == ["-1"] * 5


def test_raw_packets_cannot_be_sent(attacked: type[Attacked]) -> None:
    told = attacked(program(
        "socket(AF_PACKET, SOCK_RAW, 0)", TRIED, "socket(AF_INET, SOCK_RAW, IPPROTO_TCP)", TRIED,
        "pause()")).lines(2)
    assert told == ["Operation not permitted"] * 2


def test_a_flood_of_packets_ends_the_test(
    attacked: type[Attacked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.scenario.world.FLOOD", 1 << 20)
    attack = attacked(program(
        "struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)}",
        "to.sin_addr.s_addr = htonl(INADDR_LOOPBACK)", "static char data[1400]",
        "int fd = socket(AF_INET, SOCK_DGRAM, 0)",
        "for (;;) sendto(fd, data, sizeof data, 0, (void *)&to, sizeof to)"))
    attacker = attack.start()
    with pytest.raises(Mismatch) as caught:
        attack.lab.wait_for(lambda: False, "", lambda: "")
    assert caught.value.cause == "flood"
    attacker.kill()
    attack.lab.wait_gone(attacker)
    monkeypatch.undo()
