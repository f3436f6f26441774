/*
 * server_fork - TCP echo for many clients at once, a process for each.
 *
 * Run it:   ./server_fork [-a ADDRESS] [-p PORT] (127.0.0.1, port 4321)
 *           ./client                             in several terminals
 *           ps --forest -C server_fork           one line for each client
 *
 * You see and on the wire: as server. A client that says nothing keeps
 * nobody waiting.
 *
 * New here: fork(). The child serves the one client as server does; the
 * parent goes back to accept(). Each client costs a process, and gets all
 * that processes are good at: what goes wrong in one cannot hurt another.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "echo.h"
#include "net.h"

const char program[] = "server_fork";

/* The child's life: one client, then the end. */
_Noreturn static void serve_one(int listen_fd, int conn_fd, pid_t parent)
{
    /* STEP 22: end with the parent, however it ends (it may have ended
     * already, before the kernel knew of our wish). */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        die("prctl");
    if (getppid() != parent)
        _exit(0);
    /* END STEP 22; silent; stub: (void)parent; */

    close(listen_fd);
    echo(conn_fd);
    _exit(0);                           /* closes conn_fd, and so sends FIN */
}

static void serve(int listen_fd)
{
    pid_t parent = getpid();

    for (;;) {
        int conn_fd = next_client(listen_fd);

        /* STEP 20: fork. Both processes hold the connection now, and it ends
         * only when both have closed it: the parent does so at once. */
        pid_t child = fork();
        if (child == 0)
            serve_one(listen_fd, conn_fd, parent);
        if (child < 0)
            complain("fork");           /* this client is turned away */
        if (close(conn_fd) < 0)
            complain("close");
        /* END STEP 20; stub:
        (void)serve_one;
        (void)parent;
        echo(conn_fd);
        close(conn_fd); */
    }
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "4321";

    read_options(argc, argv, &address, &port);
    int listen_fd = start_server(address, port);

    /* STEP 21: leave no zombies. A child that has ended stays in the process
     * table until its parent has asked how it ended, see wait(2). We shall
     * never ask, and say so. */
    if (signal(SIGCHLD, SIG_IGN) == SIG_ERR)
        die("SIGCHLD");
    /* END STEP 21; silent */

    serve(listen_fd);
}
