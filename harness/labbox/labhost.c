/*
 * labhost - a private network: its own hosts and its own processes, without root.
 *
 *     labhost CONTROL_FD [link]
 *
 * Makes new user, network, process, mount, IPC and host-name namespaces
 * (namespaces(7)), in them one host with a loopback, or two that a link joins
 * (hosts.h, link.h), and then does what the harness asks over CONTROL_FD, a
 * SOCK_SEQPACKET socket:
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
 * The first message is READY with the pid (as its caller sees it) whose /proc
 * entry shows this network, or FAILED with errno and the name of the call.
 * Numbers are 32-bit in host byte order. When CONTROL_FD is closed, or the caller
 * dies, everything in here ends: this process is pid 1 of its namespace.
 *
 * A guest is a process that gets no privilege in here; where the caller is the
 * real root, it runs as GUEST_ID, so that no submission is root outside.
 */
#include "hosts.h"
#include "message.h"

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

enum { READY = 1, FAILED, SOCKET, RUN, ENDED, GIVEN, FOLDER };
enum { GUEST_ID = 65534, MAX_STRINGS = 512, MAX_FILES = 10000 };

static int control_fd;
static sigset_t original_mask;
static int guests_switch; /* guests run as GUEST_ID, not as the caller */

static _Noreturn void fail(const char *what)
{
    struct {
        int32_t kind, error;
        char what[120];
    } message = {.kind = FAILED, .error = errno};

    snprintf(message.what, sizeof message.what, "%s", what);
    message_send(control_fd, &message, 8 + strlen(message.what), NULL, 0);
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

/* The caller's part: maps the users, tells pid 1 so, and waits for its end. */
static int stand_by(pid_t pid, int to_child)
{
    int32_t facts[2] = {(int32_t)pid, map_users(pid)};
    int status;

    if (facts[1] < 0)
        fail("write to /proc/PID/uid_map");
    if (write(to_child, facts, sizeof facts) != sizeof facts)
        fail("write to the new host");
    close(to_child);
    close(control_fd); /* pid 1 alone speaks from here on */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
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

/* The child's way to the program; on failure its errno goes to REPORT_FD. */
static _Noreturn void execute(struct command *command, int *fds, size_t count, int report_fd)
{
    /* Needed past place_fds(), which fills the low numbers, and so the hosts' too. */
    int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 2 * MESSAGE_FDS);

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

static _Noreturn void run_network(int from_parent, bool link)
{
    int32_t facts[2];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(from_parent, facts, sizeof facts) != sizeof facts)
        _exit(1); /* the caller said why, or is gone */
    close(from_parent);
    guests_switch = facts[1];
    setsid();
    make_network(link);
    answer(READY, facts[0], facts[1], -1);
    serve();
}

int main(int argc, char **argv)
{
    int parent_child[2];

    bool link = argc == 3 && strcmp(argv[2], "link") == 0;
    control_fd = argc == 2 || link ? atoi(argv[1]) : -1;
    if (fcntl(control_fd, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "usage: labhost CONTROL_FD [link] (the harness calls it)\n");
        return 2;
    }
    if (pipe2(parent_child, O_CLOEXEC) < 0)
        fail("pipe");
    long flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
                 CLONE_NEWUTS | SIGCHLD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
    if (pid < 0)
        fail("make namespaces");
    if (pid == 0) {
        close(parent_child[1]);
        run_network(parent_child[0], link);
    }
    close(parent_child[0]);
    return stand_by(pid, parent_child[1]);
}
