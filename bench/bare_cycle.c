/*
 * bare_cycle - the least that judging one run of the echo pair on its packets takes.
 *
 *     bare_cycle LABCAP SERVER CLIENT TRACE
 *
 * A private network, a recording in it, the server, the client with a message, the end
 * of both and of the recording, then `labcap check`; no harness and no sandbox. Prints
 * the milliseconds that took. What the harness adds is measured against this.
 */
#include "../harness/labbox/loopback.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void write_file(const char *path, const char *format, unsigned id)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fprintf(file, format, id) < 0 || fclose(file) == EOF)
        die(path);
}

/* Root of new user and network namespaces, as `unshare -Urn` makes it. */
static void enter_private_network(void)
{
    unsigned uid = geteuid(), gid = getegid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        die("unshare");
    write_file("/proc/self/setgroups", "deny\n", 0);
    write_file("/proc/self/uid_map", "0 %u 1", uid);
    write_file("/proc/self/gid_map", "0 %u 1", gid);
    if (loopback_up() != NULL)
        die("lo");
}

static pid_t start(char **argv, int out_fd)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid > 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(out_fd, 1) < 0)
        _exit(127);
    execv(argv[0], argv);
    _exit(127);
}

/* Starts ARGV and returns once it has written something: its ready or its start line. */
static pid_t start_and_wait(char **argv)
{
    char byte;
    int said[2];

    if (pipe(said) < 0)
        die("pipe");
    pid_t pid = start(argv, said[1]);
    close(said[1]);
    if (read(said[0], &byte, 1) != 1)
        die(argv[0]);
    return pid; /* the pipe stays open, or the program would get SIGPIPE */
}

static void finish(pid_t pid, int signal_number, const char *what)
{
    int status;

    if (signal_number != 0 && kill(pid, signal_number) < 0)
        die("kill");
    if (waitpid(pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "bare_cycle: %s failed\n", what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bare_cycle LABCAP SERVER CLIENT TRACE\n");
        return 2;
    }
    char *record[] = {argv[1], "record", "-i", "lo", "-w", argv[4], "--ready-fd", "1", NULL};
    char *server[] = {argv[2], NULL};
    char *client[] = {argv[3], "-m", "hello", NULL};
    char *check[] = {argv[1], "check", argv[4], "connections=1", "teardown.kind=fin", NULL};
    int null_fd = open("/dev/null", O_WRONLY);
    double began = now_ms();

    enter_private_network();
    pid_t recorder = start_and_wait(record);
    pid_t listener = start_and_wait(server);
    finish(start(client, null_fd), 0, "client");
    finish(listener, SIGTERM, "server");
    finish(recorder, SIGTERM, "labcap record");
    finish(start(check, null_fd), 0, "labcap check");
    printf("%.3f\n", now_ms() - began);
    return 0;
}
