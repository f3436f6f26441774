/* Two processes: the child types, the parent prints, and the end of one is the other's. */
#include "peer_setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static void child_has_ended(int number)
{
    int status = 0;

    (void)number;
    while (waitpid(-1, &status, WNOHANG) > 0)
        if (status != 0)
            _exit(1);                   /* it has said why */
}

static void end_with_success(int number)
{
    (void)number;
    _exit(0);
}

static void on(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    if (sigaction(number, &action, NULL) < 0)
        fail("sigaction");
}

/* The child's life. Returns at the end of stdin. */
static void carry_lines(int fd, pid_t parent)
{
    char *line = NULL;
    size_t room = 0;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    for (ssize_t len; (len = getline(&line, &room, stdin)) >= 0; )
        send_line(fd, line, (size_t)len - (line[len - 1] == '\n'));
    if (ferror(stdin))
        fail("stdin");
}

/* The parent's life. */
_Noreturn static void print_datagrams(int fd)
{
    static char data[ROOM];
    char name[NAME_ROOM];
    struct sockaddr_storage from;

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len);
        if (n < 0)
            fail("recvfrom");
        if (n > 0 && data[n - 1] == '\n')
            n--;
        name_sender(name, &from);
        if (fputs(name, stdout) == EOF || fwrite(data, 1, (size_t)n, stdout) != (size_t)n
            || putchar('\n') == EOF || fflush(stdout) == EOF)
            fail("stdout");
    }
}

int main(int argc, char *argv[])
{
    pid_t parent = getpid();

    on(SIGINT, end_with_success);
    on(SIGTERM, end_with_success);
    on(SIGCHLD, child_has_ended);
    int fd = open_peer(argc, argv);
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        carry_lines(fd, parent);
        return 0;
    }
    close(STDIN_FILENO);
    print_datagrams(fd);
}
