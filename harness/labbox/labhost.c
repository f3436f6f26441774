/*
 * labhost - private networks: each with its own hosts and its own processes, without root.
 *
 *     labhost NETWORKS_FD
 *
 * The first message over NETWORKS_FD, a SOCK_SEQPACKET socket as all here, is READY, or FAILED
 * with errno and the name of the call. From then on each request NETWORK link, with a descriptor,
 * makes a network: new user, network, process, mount, IPC and host-name namespaces
 * (namespaces(7)), in them one host with a loopback, or two that a link joins (hosts.h, link.h).
 * The answer is NETWORK with a pidfd of the network's pid 1, or FAILED. When NETWORKS_FD is
 * closed, or the caller dies, everything ends. To make a network in a process that is there
 * already is faster than to start one, and this one's own network namespace is made for nothing
 * but to have those that are made from it begin with small tables (setting.h).
 *
 * Pid 1 of a network does what the harness asks over the descriptor, CONTROL_FD:
 *
 *     request                               answer
 *     SOCKET host domain type protocol      SOCKET errno
 *     RUN host guest argc envc, then cwd,   RUN errno pid
 *         argv and env, each ended by a NUL;
 *         descriptors become 0, 1, 2, ...
 *     FOLDER size, then a path, a NUL       FOLDER errno
 *         (an empty folder of at most SIZE bytes over the one that is there)
 *     unasked, when a process has ended     ENDED pid wait-status
 *
 * The socket, the folder, or the process's pidfd, comes in a message GIVEN before the
 * answer. Once the answer is there labhost has no descriptor that it gave or was given: the
 * caller's close() is the last one, and a FIN or an end of file comes of it.
 *
 * The first message is READY, or FAILED as above. Numbers are 32-bit in host byte order. When
 * CONTROL_FD is closed, everything in here ends: this process is pid 1 of its namespace.
 *
 * A guest is a process that gets no privilege in here; where the caller is the
 * real root, it runs as GUEST_ID, so that no submission is root outside.
 */
#include "hosts.h"
#include "message.h"
#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY = 1, FAILED, SOCKET, RUN, ENDED, GIVEN, FOLDER, NETWORK };
enum { GUEST_ID = 65534, MAX_STRINGS = 512, MAX_FILES = 10000 };

static int control_fd; /* whom this process answers; the first one's is NETWORKS_FD */
static sigset_t original_mask;
static int guests_switch; /* guests run as GUEST_ID, not as the caller */

static void tell_failed(const char *what)
{
    struct {
        int32_t kind, error;
        char what[120];
    } message = {.kind = FAILED, .error = errno};

    snprintf(message.what, sizeof message.what, "%s", what);
    message_send(control_fd, &message, 8 + strlen(message.what), NULL, 0);
}

static _Noreturn void fail(const char *what)
{
    tell_failed(what);
    _exit(1);
}

/* -- The namespaces, and who is who in them ------------------------------ */

/* Writes TEXT to /proc/PID/NAME in one write, as those files ask. 0 or -1. */
static int write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

/*
 * Makes the caller root inside PID's user namespace; for the real root it maps
 * GUEST_ID too. Returns 1 when guests can be GUEST_ID, 0 when not, -1 with errno.
 */
static int map_users(pid_t pid)
{
    char both[64], own[64];

    snprintf(both, sizeof both, "0 0 1\n%d %d 1\n", GUEST_ID, GUEST_ID);
    if (geteuid() == 0 && write_proc(pid, "uid_map", both) == 0)
        return write_proc(pid, "gid_map", both) < 0 ? -1 : 1;
    snprintf(own, sizeof own, "0 %d 1\n", (int)geteuid());
    if (write_proc(pid, "uid_map", own) < 0)
        return -1;
    if (write_proc(pid, "setgroups", "deny") < 0 && errno != ENOENT)
        return -1;
    snprintf(own, sizeof own, "0 %d 1\n", (int)getegid());
    return write_proc(pid, "gid_map", own) < 0 ? -1 : 0;
}

/* A process in namespaces of its own, which waits until its users are mapped. */
struct cloned {
    pid_t pid;     /* 0 in the process itself; -1: there is none, errno tells why */
    int to_child;  /* the caller's */
    int from_parent; /* its own */
};

static struct cloned clone_into(long namespaces)
{
    int ends[2];
    struct cloned made = {.pid = -1};

    if (pipe2(ends, O_CLOEXEC) < 0)
        return made;
    made.pid = (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
    int error = errno;
    made.to_child = ends[1];
    made.from_parent = ends[0];
    close(made.pid == 0 ? ends[1] : ends[0]);
    if (made.pid < 0)
        close(ends[1]);
    errno = error;
    return made;
}

/* Maps the users of MADE and lets it go on. NULL, or what failed, with errno: it ends then. */
static const char *let_go_on(const struct cloned *made)
{
    int32_t switches = map_users(made->pid);
    const char *failed = switches < 0 ? "write to /proc/PID/uid_map" : NULL;

    if (failed == NULL && write(made->to_child, &switches, sizeof switches) != sizeof switches)
        failed = "write to the new host";
    int error = errno;
    close(made->to_child);
    errno = error;
    return failed;
}

/* In MADE itself: returns once its users are mapped; it ends with its parent. */
static void wait_until_mapped(const struct cloned *made)
{
    int32_t switches;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(made->from_parent, &switches, sizeof switches) != sizeof switches)
        _exit(1); /* the parent said why, or is gone */
    close(made->from_parent);
    guests_switch = switches;
}

/* -- The network --------------------------------------------------------- */

static void make_network(bool link)
{
    const char *what;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("make mounts private");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        fail("mount /proc");
    if ((what = hosts_make(link)) != NULL)
        fail(what);
}

/* -- Requests ------------------------------------------------------------ */

static void tell(int32_t kind, int32_t first, int32_t second, int fd)
{
    int32_t message[3] = {kind, first, second};

    if (message_send(control_fd, message, sizeof message, &fd, fd >= 0) < 0)
        _exit(0); /* the harness is gone */
}

/* Gives FD away first, if it is one. */
static void answer(int32_t kind, int32_t first, int32_t second, int fd)
{
    if (fd >= 0) {
        tell(GIVEN, 0, 0, fd);
        close(fd);
    }
    tell(kind, first, second, -1);
}

/* As socket(2), in host HOST; this process is in host 0 before and after. */
static int socket_at(int32_t host, int32_t domain, int32_t type, int32_t protocol)
{
    if (hosts_enter(host) < 0)
        return -1;
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
    int error = errno;
    if (hosts_enter(0) < 0)
        _exit(1);
    errno = error;
    return fd;
}

static void do_socket(const int32_t *args, size_t len)
{
    if (len < 4 * sizeof *args) {
        answer(SOCKET, EINVAL, 0, -1);
        return;
    }
    int fd = socket_at(args[0], args[1], args[2], args[3]);
    answer(SOCKET, fd < 0 ? errno : 0, 0, fd);
}

struct command {
    int host;
    int guest;
    char *cwd;
    char *argv[MAX_STRINGS + 1];
    char *envp[MAX_STRINGS + 1];
};

/* Takes COUNT strings from *TEXT (before END) into LIST. 0, or -1: too short. */
static int take_strings(char **text, const char *end, int32_t count, char **list)
{
    if (count < 0 || count > MAX_STRINGS)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        char *nul = memchr(*text, 0, (size_t)(end - *text));
        if (nul == NULL)
            return -1;
        list[i] = *text;
        *text = nul + 1;
    }
    list[count] = NULL;
    return 0;
}

static int parse_command(char *data, size_t len, struct command *command)
{
    int32_t head[4];
    char *text = data + sizeof head, *end = data + len;
    char *cwd[2];

    if (len < sizeof head)
        return -1;
    memcpy(head, data, sizeof head);
    command->host = head[0];
    command->guest = head[1];
    if (head[2] < 1 || take_strings(&text, end, 1, cwd) < 0)
        return -1;
    command->cwd = cwd[0];
    if (take_strings(&text, end, head[2], command->argv) < 0)
        return -1;
    return take_strings(&text, end, head[3], command->envp);
}

/* Puts FDS at 0, 1, 2, ...; first above all targets, so that none is overwritten. */
static int place_fds(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, MESSAGE_FDS)) < 0)
            return -1;
    for (size_t i = 0; i < count; i++)
        if (dup2(fds[i], (int)i) < 0)
            return -1;
    return 0;
}

static int become_guest(void)
{
    if (!guests_switch)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(GUEST_ID, GUEST_ID, GUEST_ID) < 0)
        return -1;
    return setresuid(GUEST_ID, GUEST_ID, GUEST_ID);
}

/* Who started all this may ignore signals, as a shell's job in the background does SIGINT. */
static void take_signals_as_usual(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* which fails for SIGKILL and the like */
}

/* The child's way to the program; on failure its errno goes to REPORT_FD. */
static _Noreturn void execute(struct command *command, int *fds, size_t count, int report_fd)
{
    /* Needed past place_fds(), which fills the low numbers, and so the hosts' too. */
    int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 2 * MESSAGE_FDS);

    take_signals_as_usual();
    if (report >= 0 && hosts_enter(command->host) == 0 && place_fds(fds, count) == 0 &&
        chdir(command->cwd) == 0 && (!command->guest || become_guest() == 0) &&
        sigprocmask(SIG_SETMASK, &original_mask, NULL) == 0)
        execvpe(command->argv[0], command->argv, command->envp);
    int32_t error = errno;
    ssize_t ignored = write(report < 0 ? report_fd : report, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/* Starts COMMAND; *PID is its process then. 0, or the errno of what failed. */
static int32_t start(struct command *command, int *fds, size_t count, pid_t *pid)
{
    int32_t error = 0;
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    *pid = fork();
    if (*pid == 0)
        execute(command, fds, count, report[1]);
    if (*pid < 0)
        error = errno;
    close(report[1]);
    if (*pid > 0 && read(report[0], &error, sizeof error) != sizeof error)
        error = 0; /* closed by exec: it runs */
    close(report[0]);
    return error;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void do_run(char *data, size_t len, int *fds, size_t count)
{
    struct command command;
    pid_t pid = 0;
    int pidfd = -1;

    int32_t error = parse_command(data, len, &command) < 0 ? EINVAL
                                                           : start(&command, fds, count, &pid);
    if (!error && (pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0)
        error = errno;
    close_all(fds, count);
    answer(RUN, error, (int32_t)pid, pidfd);
}

/* Mounts a file system of SIZE bytes over PATH; guests may write to it. Its descriptor or -1. */
static int folder_at(const char *path, int32_t size)
{
    char options[120];
    int owner = guests_switch ? GUEST_ID : 0;

    snprintf(options, sizeof options, "size=%d,nr_inodes=%d,mode=0755,uid=%d,gid=%d", (int)size,
             MAX_FILES, owner, owner);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void do_folder(const char *data, size_t len)
{
    int32_t size;

    if (len <= sizeof size || data[len - 1] != 0) {
        answer(FOLDER, EINVAL, 0, -1);
        return;
    }
    memcpy(&size, data, sizeof size);
    int fd = folder_at(data + sizeof size, size);
    answer(FOLDER, fd < 0 ? errno : 0, 0, fd);
}

static void do_request(void)
{
    static _Alignas(int32_t) char data[MESSAGE_BYTES];
    int fds[MESSAGE_FDS];
    size_t count;
    int32_t kind = 0;

    ssize_t n = message_receive(control_fd, data, sizeof data, fds, &count);
    if (n <= 0)
        _exit(0); /* the harness is done, and all in here ends with pid 1 */
    if (n >= (ssize_t)sizeof kind)
        memcpy(&kind, data, sizeof kind);
    if (kind == RUN) {
        do_run(data + sizeof kind, (size_t)n - sizeof kind, fds, count);
        return;
    }
    close_all(fds, count);
    if (kind == SOCKET)
        do_socket((int32_t *)(void *)(data + sizeof kind), (size_t)n - sizeof kind);
    else if (kind == FOLDER)
        do_folder(data + sizeof kind, (size_t)n - sizeof kind);
}

static void report_ended(void)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        int32_t message[3] = {ENDED, (int32_t)pid, status};
        if (message_send(control_fd, message, sizeof message, NULL, 0) < 0)
            _exit(0);
    }
}

static _Noreturn void serve(void)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &child, &original_mask) < 0)
        fail("sigprocmask");
    int signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0)
        fail("signalfd");
    for (;;) {
        struct pollfd wait[2] = {{.fd = control_fd, .events = POLLIN},
                                 {.fd = signal_fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            _exit(1);
        if (wait[1].revents && read(signal_fd, &info, sizeof info) > 0)
            report_ended();
        if (wait[0].revents)
            do_request();
    }
}

/* -- Networks ------------------------------------------------------------ */

/* Pid 1 of a network, from its first step on; FD is its CONTROL_FD. */
static _Noreturn void run_network(const struct cloned *self, int fd, bool link)
{
    close(control_fd);
    control_fd = fd;
    wait_until_mapped(self);
    signal(SIGCHLD, SIG_DFL);
    setsid();
    make_network(link);
    tell(READY, 0, 0, -1);
    serve();
}

static void do_network(int fd, bool link)
{
    struct cloned made = clone_into(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS |
                                    CLONE_NEWIPC | CLONE_NEWUTS);
    const char *failed = made.pid < 0 ? "make namespaces" : NULL;

    if (made.pid == 0)
        run_network(&made, fd, link);
    int pidfd = made.pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, made.pid, 0);
    if (failed == NULL && pidfd < 0)
        failed = "pidfd_open";
    if (made.pid > 0) {
        const char *stopped = let_go_on(&made);
        failed = failed != NULL ? failed : stopped;
    }
    if (failed != NULL)
        tell_failed(failed);
    else
        tell(NETWORK, 0, 0, pidfd);
    if (pidfd >= 0)
        close(pidfd);
}

/* Makes networks, until nobody asks for them any more. */
static _Noreturn void make_networks(const struct cloned *self)
{
    int32_t request[2];
    int fds[MESSAGE_FDS];
    size_t count;

    wait_until_mapped(self);
    setting_small_tables();
    signal(SIGCHLD, SIG_IGN); /* a pidfd tells of each end; nobody is to be waited for */
    tell(READY, 0, 0, -1);
    for (;;) {
        ssize_t n = message_receive(control_fd, request, sizeof request, fds, &count);
        if (n <= 0)
            _exit(0);
        if (n == sizeof request && request[0] == NETWORK && count == 1)
            do_network(fds[0], request[1] != 0);
        close_all(fds, count);
    }
}

int main(int argc, char **argv)
{
    const char *failed;
    int status;

    control_fd = argc == 2 ? atoi(argv[1]) : -1;
    if (fcntl(control_fd, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "usage: labhost NETWORKS_FD (the harness calls it)\n");
        return 2;
    }
    struct cloned maker = clone_into(CLONE_NEWUSER | CLONE_NEWNET);
    if (maker.pid < 0)
        fail("make namespaces");
    if (maker.pid == 0)
        make_networks(&maker);
    if ((failed = let_go_on(&maker)) != NULL)
        fail(failed);
    close(control_fd); /* the other one alone speaks from here on */
    while (waitpid(maker.pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
