/*
 * labinit - the first process of a sandbox: runs one program, tells what became of it.
 *
 *     labinit [-b] LIMITS PROGRAM [ARGUMENT...]
 *
 * It is pid 1 of the sandbox's process namespace. With -b, for a build, the program has
 * labinit's stdin, stdout and stderr and begins at once, and labinit exits as it did: 128 +
 * the signal's number for one that a signal ended, BUILD_EXCEEDED + enum exceeded where it
 * used too much, and never with 1, as bwrap does that cannot make the sandbox. Without,
 * descriptors it is given are:
 *     3        a SOCK_SEQPACKET socket for its reports
 *     4, 5, 6  the program's stdin, stdout and stderr
 * It makes the program's process at once, but lets it begin only when it is given one byte
 * on descriptor 3: so a sandbox can be made while other things are still being prepared,
 * and who wants to watch the process can be there before its first step.
 * LIMITS is a list like nproc=256,fsize=1048576 (getrlimit(2)); '-' for none. Of memory,
 * processes, sessions and work all in the sandbox have so much together (bounds.h): where it
 * is more, they are all ended.
 *
 * Reports (64-bit numbers in host byte order):
 *     MADE errno, with the pidfd of the program's process when errno is 0
 *     STARTED errno: the process is the program now, when errno is 0
 *     ENDED wait-status, processor time in microseconds of it and of all
 *         processes it left waited for, which bound it crossed (enum exceeded) and
 *         with how much, number of processes left over; then the names of those, each
 *         ended by a NUL
 * A process that the program left is 'left over' when it lives a second after
 * the program's end. Everything left dies when labinit does, right after.
 */
#include "bounds.h"
#include "message.h"
#include "refuse.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MADE = 1, STARTED, ENDED };
enum { REPORT_FD = 3, PROGRAM_STDIN = 4, GRACE_MS = 1000, NAMES_BYTES = 1024 };
enum { LOOK_MS = 50, LOOK_SHARE = 20 }; /* how often bounds are looked at, and at what cost */
enum { BUILD_EXCEEDED = 190 };

static const struct {
    const char *name;
    int resource;
} limits[] = {
    {"as", RLIMIT_AS},       {"core", RLIMIT_CORE},     {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},   {"fsize", RLIMIT_FSIZE},   {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC}, {"stack", RLIMIT_STACK},
};

static struct bounds bounds;
static struct crossing crossing; /* why all were ended */
static int questions = -1;       /* of make_ask() */

static const struct {
    const char *name;
    int64_t *bound;
} shared_limits[] = {
    {"memory", &bounds.memory},
    {"processes", &bounds.processes},
    {"sessions", &bounds.sessions},
    {"work", &bounds.work},
};

static void report(const int64_t *numbers, size_t count, int fd)
{
    if (message_send(REPORT_FD, numbers, count * sizeof *numbers, &fd, fd >= 0) < 0)
        _exit(1);
}

/* Whether ITEM is 'NAME=number'. */
static bool names(const char *item, const char *name)
{
    size_t len = strlen(name);

    return strncmp(item, name, len) == 0 && item[len] == '=';
}

/* Sets one limit of this process from 'name=number'; a bound is no concern here. 0 or -1. */
static int set_limit(const char *item)
{
    const char *equals = strchr(item, '=');

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (names(item, limits[i].name)) {
            rlim_t value = (rlim_t)strtoull(equals + 1, NULL, 10);
            struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
            return setrlimit((__rlimit_resource_t)limits[i].resource, &limit);
        }
    for (size_t i = 0; i < sizeof shared_limits / sizeof *shared_limits; i++)
        if (names(item, shared_limits[i].name))
            return 0;
    errno = EINVAL;
    return -1;
}

/* Sets one bound of all processes, if ITEM is one. 0. */
static int set_bound(const char *item)
{
    for (size_t i = 0; i < sizeof shared_limits / sizeof *shared_limits; i++)
        if (names(item, shared_limits[i].name))
            *shared_limits[i].bound = strtoll(strchr(item, '=') + 1, NULL, 10);
    return 0;
}

/* Calls SET for each item of LIST, which is cut up by that. 0, or -1 with errno. */
static int set_all(char *list, int (*set)(const char *item))
{
    char *rest = NULL;

    for (char *item = strtok_r(list, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
        if (strcmp(item, "-") != 0 && set(item) < 0)
            return -1;
    return 0;
}

/* Where memory ends all the same, the kernel is to end these processes before all others. */
static void be_first_to_go(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t ignored = fd < 0 ? 0 : write(fd, "1000", 4);

    (void)ignored;
    if (fd >= 0)
        close(fd);
}

/* The program's own stdio, limits and signals; nothing of ours. 0, or -1 with errno. */
static int prepare(char *limit_list)
{
    for (int fd = 0; fd < 3; fd++)
        if (dup2(PROGRAM_STDIN + fd, fd) < 0)
            return -1;
    if (setsid() < 0 || set_all(limit_list, set_limit) < 0)
        return -1;
    for (int fd = REPORT_FD; fd < PROGRAM_STDIN + 3; fd++)
        close(fd);
    return 0;
}

/* Tells the other end of SOCK that this process begins, or ERROR; and gives it FD, if there is
 * one. 0 or -1. */
static int tell(int sock, int32_t error, int fd)
{
    return message_send(sock, &error, sizeof error, &fd, fd >= 0);
}

/* What is told over SOCK: an errno or 0, or -1 at its end; and a descriptor, or *FD is -1. */
static int32_t hear(int sock, int *fd)
{
    int fds[MESSAGE_FDS];
    size_t count;
    int32_t error;

    ssize_t n = message_receive(sock, &error, sizeof error, fds, &count);
    *fd = n > 0 && count > 0 ? fds[0] : -1;
    return n == sizeof error ? error : -1;
}

/* From here on it has to ask who has the other end of SOCK. 0 or -1. */
static int hand_over_questions(int sock)
{
    int fd = make_ask();
    int told = tell(sock, 0, fd);

    if (fd >= 0)
        close(fd);
    return told;
}

/*
 * The process that becomes the program when the other end of GO_FD says so. It has all
 * the rest behind it by then: its next calls are seccomp and execve. What fails is told to
 * STATUS_FD.
 */
static _Noreturn void become_program(char *limit_list, char **argv, int go_fd, int status_fd)
{
    char go;

    if (prepare(limit_list) == 0 && hand_over_questions(status_fd) == 0 &&
        read(go_fd, &go, sizeof go) == sizeof go && refuse_calls() == 0)
        execv(argv[0], argv);
    tell(status_fd, errno, -1);
    _exit(127);
}

/* The program's process while it waits. */
struct waiting {
    pid_t pid;     /* -1: there is none, errno tells why */
    int go_fd;     /* a byte lets it begin */
    int status_fd; /* tells 0 with its questions, or an errno; then its end, or an errno */
};

static struct waiting make_process(char *limit_list, char **argv)
{
    int go[2], status[2];
    struct waiting made = {.pid = -1};

    if (pipe2(go, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) < 0)
        return made;
    made.pid = fork();
    if (made.pid == 0)
        become_program(limit_list, argv, go[0], status[1]);
    int error = errno;
    close(go[0]);
    close(status[1]);
    for (int fd = 0; fd < 3; fd++) /* the program's ends are the program's alone */
        close(PROGRAM_STDIN + fd);
    made.go_fd = go[1];
    made.status_fd = status[0];
    errno = error;
    return made;
}

/* Lets it begin. 0, or the errno of what failed, now or before. */
static int32_t let_go(const struct waiting *made)
{
    int none;

    ssize_t ignored = write(made->go_fd, "g", 1); /* a pid 1 has no SIGPIPE to fear */
    (void)ignored;
    int32_t error = hear(made->status_fd, &questions);
    if (error == 0)
        error = hear(made->status_fd, &none);
    if (error < 0)
        error = 0; /* closed by exec: it runs */
    close(made->go_fd);
    close(made->status_fd);
    return error;
}

static int64_t microseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Ends all processes in here if they use too much together; looks AT_ONCE or when it is time. */
static void look_at_bounds(bool at_once)
{
    static int64_t next;
    int64_t now = now_ms();

    if ((now < next && !at_once) || crossing.what != NOTHING)
        return;
    crossing = bounds_crossed(&bounds);
    if (crossing.what != NOTHING)
        kill(-1, SIGKILL); /* at once: none of them can make another meanwhile */
    int64_t pause = LOOK_SHARE * (now_ms() - now);
    next = now_ms() + (pause > LOOK_MS ? pause : LOOK_MS);
}

/* Lets a call go on that waits for leave: a new session if there are not too many. */
static void answer(void)
{
    struct question question;

    if (!take_question(questions, &question))
        return;
    if (question.session)
        look_at_bounds(true);
    else
        bounds.memfds = true;
    if (crossing.what == NOTHING)
        let_go_on(questions, &question);
}

/* Waits for the end of a child, at most UNTIL, and not longer than until the next look. */
static void rest(const sigset_t *child, int64_t until)
{
    static int child_fd = -1;
    struct signalfd_siginfo about;
    int64_t left = until - now_ms();

    left = left < 0 ? 0 : left > LOOK_MS ? LOOK_MS : left;
    if (child_fd < 0)
        child_fd = signalfd(-1, child, SFD_CLOEXEC | SFD_NONBLOCK);
    struct pollfd ready[] = {{.fd = child_fd, .events = POLLIN},
                             {.fd = questions, .events = POLLIN}};
    poll(ready, 2, (int)left);
    ssize_t ignored = ready[0].revents ? read(child_fd, &about, sizeof about) : 0;
    (void)ignored;
    if (ready[1].revents & POLLIN) {
        answer();
    } else if (ready[1].revents) { /* nobody is left who could ask */
        close(questions);
        questions = -1;
    }
    look_at_bounds(false);
}

/* Waits for the end of process PID, and reaps what others have left. Its wait status. */
static int wait_for(pid_t pid, const sigset_t *child)
{
    int status;

    for (;;) {
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended == pid)
            return status;
        if (ended < 0)
            _exit(1);
        if (ended == 0)
            rest(child, INT64_MAX);
    }
}

/* Reaps what the program left until nothing is left or the grace is over. */
static void wait_for_rest(const sigset_t *child)
{
    int64_t end = now_ms() + GRACE_MS;

    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0)
            return; /* ECHILD: nothing is left */
        if (pid == 0 && now_ms() >= end)
            return;
        if (pid == 0)
            rest(child, end);
    }
}

/* Adds the name of process PID to NAMES, after *LEN bytes that are there. */
static void add_name(const char *pid, char *names, size_t *len)
{
    char path[300], comm[32];

    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, comm, sizeof comm);
    close(fd);
    if (n <= 1 || *len + (size_t)n > NAMES_BYTES)
        return;
    comm[n - 1] = 0;
    memcpy(names + *len, comm, (size_t)n);
    *len += (size_t)n;
}

/* Counts the processes in here besides this one, and collects their names. */
static int64_t count_rest(char *names, size_t *len)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int64_t count = 0;

    if (proc == NULL)
        return kill(-1, 0) == 0;
    while ((entry = readdir(proc)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid())
            continue;
        count++;
        add_name(entry->d_name, names, len);
    }
    closedir(proc);
    return count;
}

static void report_end(pid_t pid, const sigset_t *child)
{
    struct {
        int64_t numbers[7];
        char names[NAMES_BYTES];
    } message;
    struct rusage usage;
    size_t len = 0;

    int status = wait_for(pid, child);
    wait_for_rest(child);
    getrusage(RUSAGE_CHILDREN, &usage);
    message.numbers[0] = ENDED;
    message.numbers[1] = status;
    message.numbers[2] = microseconds(usage.ru_utime);
    message.numbers[3] = microseconds(usage.ru_stime);
    message.numbers[4] = crossing.what;
    message.numbers[5] = crossing.seen;
    message.numbers[6] = count_rest(message.names, &len);
    message_send(REPORT_FD, &message, sizeof message.numbers + len, NULL, 0);
}

/* Runs the program where LIMITS are; what became of it is told over REPORT_FD. 0 or 1. */
static int run(char *limit_list, char **argv, const sigset_t *child)
{
    char go;

    struct waiting made = make_process(limit_list, argv);
    int pidfd = made.pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, made.pid, 0);
    report((int64_t[]){MADE, pidfd < 0 ? errno : 0}, 2, pidfd);
    if (pidfd < 0)
        return 1;
    close(pidfd);
    if (recv(REPORT_FD, &go, sizeof go, 0) != sizeof go)
        return 1;
    int32_t error = let_go(&made);
    report((int64_t[]){STARTED, error}, 2, -1);
    if (error)
        return 1;
    set_all(limit_list, set_bound);
    bounds.memfds = questions < 0;
    sigprocmask(SIG_BLOCK, child, NULL);
    report_end(made.pid, child);
    return 0;
}

/* Runs a command that builds. Its exit status, or BUILD_EXCEEDED and what it crossed. */
static int run_build(char *limit_list, char **argv, const sigset_t *child)
{
    int told[2];

    pid_t pid = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, told) < 0 ? -1 : fork();
    if (pid == 0) {
        if (setsid() >= 0 && set_all(limit_list, set_limit) == 0 &&
            hand_over_questions(told[1]) == 0 && refuse_calls() == 0)
            execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    if (pid < 0) {
        perror("fork");
        return 127;
    }
    close(told[1]);
    hear(told[0], &questions);
    close(told[0]);
    set_all(limit_list, set_bound);
    bounds.memfds = questions < 0;
    sigprocmask(SIG_BLOCK, child, NULL);
    int status = wait_for(pid, child);
    if (crossing.what != NOTHING)
        return BUILD_EXCEEDED + (int)crossing.what;
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == 1 ? 2 : WEXITSTATUS(status); /* 1 is the sandbox's own */
}

int main(int argc, char **argv)
{
    sigset_t child;

    bool builds = argc > 1 && strcmp(argv[1], "-b") == 0;
    argv += builds;
    argc -= builds;
    if (argc < 3) {
        fprintf(stderr, "usage: labinit [-b] LIMITS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    be_first_to_go();
    /* The program is the same user: it must not look into or trace this process. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return 1;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    return builds ? run_build(argv[1], argv + 2, &child) : run(argv[1], argv + 2, &child);
}
