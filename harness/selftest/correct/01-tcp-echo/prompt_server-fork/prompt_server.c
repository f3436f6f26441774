/* A child process for each client; the next one is accepted when the child has ended. */
#include "rounds_setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static void talk(int conn_fd)
{
    char piece[6];
    ssize_t n, total = 0;

    dprintf(conn_fd, "welcome !!!\n");
    for (unsigned i = 1; i <= rounds && (n = read(conn_fd, piece, sizeof piece)) > 0; i++) {
        total += n;
        print_round(i, n, total);
        dprintf(conn_fd, "Please enter the data:");
    }
}

int main(int argc, char *argv[])
{
    int listen_fd = open_prompt_listener(argc, argv);
    pid_t child, parent = getpid();

    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        if ((child = fork()) == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(0);
            close(listen_fd);
            talk(conn_fd);
            say_goodbye(conn_fd);
            _exit(0);
        }
        if (child < 0)
            complain("fork");
        close(conn_fd);
        while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}
