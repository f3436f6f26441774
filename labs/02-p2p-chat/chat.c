/* chat - see chat.h. */
#include "chat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net.h"

enum { BUFFER_SIZE = 16384 };

/* The exit status of a child that has come to the end of what the peer says.
 * With any other it was stopped or has failed, and has said why. */
enum { HAS_SAID_SO = 2, LEFT_TO_PARENT };

static pid_t child;
static volatile sig_atomic_t child_end = HAS_SAID_SO;

/* -- Bytes ---------------------------------------------------------------- */

/*
 * Whether the call that failed is to be made again: a signal came first, or
 * the descriptor is a non-blocking one that our caller gave us; then it has
 * been waited for.
 */
static bool try_again(int fd, short events)
{
    struct pollfd wanted = { fd, events, 0 };

    if (errno == EAGAIN)
        return poll(&wanted, 1, -1) >= 0 || errno == EINTR;
    return errno == EINTR;
}

static int write_all(int fd, const char *next, ssize_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, next, (size_t)len);
        if (n < 0 && !try_again(fd, POLLOUT))
            return -1;
        if (n > 0) {
            next += n;
            len -= n;
        }
    }
    return 0;
}

/* Carries bytes until the end of the source, as they come. Returns -1, or the
 * descriptor that failed, with errno set. */
static int carry(int from, int to)
{
    char buffer[BUFFER_SIZE];

    for (;;) {
        /* STEP 7: pass on what there is, all of it, and at once. */
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n == 0)
            return -1;
        if (n < 0 && !try_again(from, POLLIN))
            return from;
        if (write_all(to, buffer, n) < 0)
            return to;
        /* END STEP 7; stub:
        (void)write_all;
        (void)buffer;
        (void)from;
        (void)to;
        return -1; */
    }
}

/* -- The child ------------------------------------------------------------ */

static void say_closed(void)
{
    fprintf(stderr, "peer closed\n");
}

/*
 * Whether the 0 that read() gave is the peer's FIN. After a reset it gives 0
 * too, if the parent's write() was the call that got the error: the kernel
 * tells an error once. So where there is no connection any more, and no error
 * waiting to be told, it was a reset or both sides have sent their FIN.
 */
static bool is_fin(int conn_fd)
{
    struct sockaddr_storage peer_addr;
    socklen_t len = sizeof peer_addr;
    int error = 0;

    if (getpeername(conn_fd, (struct sockaddr *)&peer_addr, &len) == 0)
        return true;
    len = sizeof error;
    return getsockopt(conn_fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0
        && error != 0;                  /* a reset, but after the FIN */
}

/* The child's life: to print what the peer says. */
_Noreturn static void listen_to_peer(int conn_fd, pid_t parent)
{
    /* STEP 9: end with the parent, however it ends (it may have ended
     * already, before the kernel knew of our wish). */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        die("prctl");
    if (getppid() != parent)
        _exit(1);
    /* END STEP 9; silent; stub: (void)parent; */

    int failed = carry(conn_fd, STDOUT_FILENO);
    if (failed >= 0) {
        complain(failed == conn_fd ? "recv" : "stdout");
        _exit(1);
    }
    if (!is_fin(conn_fd))
        _exit(LEFT_TO_PARENT);
    say_closed();
    _exit(HAS_SAID_SO);
}

/* -- The parent ----------------------------------------------------------- */

/* Asks for the child's end: who has been asked for is no zombie. If it did
 * not come to the peer's end of file, this is the program's end, too. */
static void ask_for_child(int options)
{
    int status;
    pid_t ended;

    do
        ended = waitpid(child, &status, options);
    while (ended < 0 && errno == EINTR);
    if (ended == child)                 /* else not yet, or asked before */
        child_end = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (child_end < HAS_SAID_SO)
        _exit(child_end);
}

/* SIGCHLD: with the parent in read(), perhaps for hours. */
static void child_ended(int signal_number)
{
    int saved = errno;

    (void)signal_number;
    ask_for_child(WNOHANG);
    errno = saved;
}

static void start_child(int conn_fd)
{
    /* STEP 8: two things to wait for, so two processes. Each can wait in its
     * own read(); both hold the connection from now on. */
    struct sigaction action = { .sa_handler = child_ended,
                                .sa_flags = SA_RESTART };
    pid_t parent = getpid();
    child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        listen_to_peer(conn_fd, parent);
    if (sigaction(SIGCHLD, &action, NULL) < 0)
        die("sigaction");
    ask_for_child(WNOHANG);             /* it may have ended before that */
    /* END STEP 8; goes on; stub:
    (void)conn_fd;
    (void)child_ended;
    (void)listen_to_peer; */
}

static void wait_for_child(void)
{
    /* STEP 10: the other half is still talking. From here on we ask for the
     * child's end ourselves; it may have been asked for already (ECHILD). */
    signal(SIGCHLD, SIG_DFL);
    ask_for_child(0);
    /* END STEP 10; silent */
}

void chat(int conn_fd)
{
    int why = 0;

    start_child(conn_fd);
    int failed = carry(STDIN_FILENO, conn_fd);
    if (failed == STDIN_FILENO)
        die("stdin");
    if (failed == conn_fd)
        why = errno;

    /* STEP 11: half-close: the FIN leaves now. close() would send none: it
     * gives back our descriptor, and the child still has its own. */
    if (why == 0 && shutdown(conn_fd, SHUT_WR) < 0)
        why = errno == ENOTCONN ? EPIPE : errno;    /* reset meanwhile */
    /* END STEP 11; silent */

    /* Also after an error: what came before it is still to be printed, and
     * the child may have told of it. Only EPIPE comes after the peer's FIN. */
    wait_for_child();
    if (child_end == LEFT_TO_PARENT && (why == 0 || why == EPIPE))
        say_closed();
    if (why != 0) {
        errno = why;
        die("send");
    }
}
