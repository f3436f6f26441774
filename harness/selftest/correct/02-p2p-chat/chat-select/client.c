/* select() in one process; stdout is written to by a second one, through a pipe. */
#include "setup.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>

enum { PIECE = 1021 };

/* The second process: writes what comes through the pipe, and may wait. */
static pid_t start_printer(int *to_printer)
{
    char buffer[PIECE];
    int ends[2];
    pid_t parent = getpid(), printer;
    ssize_t n;

    if (pipe(ends) < 0 || (printer = fork()) < 0)
        fail("printer");
    *to_printer = ends[1];
    if (printer > 0) {
        close(ends[0]);
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
        return printer;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    close(ends[1]);
    while ((n = read(ends[0], buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, taken; done < n; done += taken)
            if ((taken = write(STDOUT_FILENO, buffer + done, (size_t)(n - done))) < 0)
                fail("stdout");
    _exit(0);
}

/* Without the printer there is nothing left to do. */
static void end_with_printer(int number)
{
    int status;

    (void)number;
    if (waitpid(-1, &status, WNOHANG) > 0)
        _exit(1);
}

static bool gone(ssize_t n, const char *what)
{
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        fail(what);
    return n == 0;
}

/* Moves bytes both ways until both have ended. */
static void talk(int conn_fd, int to_printer)
{
    char out[PIECE], in[PIECE];
    size_t out_at = 0, out_end = 0, in_at = 0, in_end = 0;
    bool typing = true, hearing = true;
    ssize_t n;

    while (typing || hearing || out_at < out_end || in_at < in_end) {
        fd_set readable, writable;
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        if (typing && out_at == out_end)
            FD_SET(STDIN_FILENO, &readable);
        if (out_at < out_end)
            FD_SET(conn_fd, &writable);
        if (hearing && in_at == in_end)
            FD_SET(conn_fd, &readable);
        if (in_at < in_end)
            FD_SET(to_printer, &writable);
        if (select(FD_SETSIZE, &readable, &writable, NULL, NULL) < 0)
            continue;
        if (FD_ISSET(STDIN_FILENO, &readable)) {
            typing = !gone(n = read(STDIN_FILENO, out, sizeof out), "stdin");
            out_at = 0;
            out_end = n > 0 ? (size_t)n : 0;
            if (!typing)
                shutdown(conn_fd, SHUT_WR);
        }
        if (FD_ISSET(conn_fd, &writable)) {
            n = send(conn_fd, out + out_at, out_end - out_at, MSG_DONTWAIT);
            gone(n, "send");
            out_at += n > 0 ? (size_t)n : 0;
        }
        if (FD_ISSET(conn_fd, &readable)) {
            hearing = !gone(n = recv(conn_fd, in, sizeof in, MSG_DONTWAIT), "recv");
            in_at = 0;
            in_end = n > 0 ? (size_t)n : 0;
            if (!hearing)
                fputs("peer closed\n", stderr);
        }
        if (FD_ISSET(to_printer, &writable)) {
            n = write(to_printer, in + in_at, in_end - in_at);
            gone(n, "printer");
            in_at += n > 0 ? (size_t)n : 0;
        }
    }
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv), to_printer, status;
    signal(SIGCHLD, end_with_printer);
    pid_t printer = start_printer(&to_printer);

    talk(conn_fd, to_printer);
    signal(SIGCHLD, SIG_DFL);
    close(to_printer);
    if (waitpid(printer, &status, 0) < 0)
        fail("waitpid");
    return status == 0 ? 0 : 1;
}
