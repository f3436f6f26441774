/* Says what it has to say through stdio, and listens without. */
#include "rounds_setup.h"

static void talk(int conn_fd, FILE *out)
{
    ssize_t n, total = 0;
    char piece[6];

    if (fputs("welcome !!!\n", out) == EOF || fflush(out) == EOF)
        return;
    for (unsigned i = 1; i <= rounds; i++) {
        while ((n = recv(conn_fd, piece, sizeof piece, 0)) < 0 && errno == EINTR)
            ;
        if (n <= 0)
            return;
        total += n;
        print_round(i, n, total);
        if (fprintf(out, "Please enter the %s:", "data") < 0 || fflush(out) == EOF)
            return;
    }
}

int main(int argc, char *argv[])
{
    int conn_fd, listen_fd = open_prompt_listener(argc, argv);

    for (;;) {
        if ((conn_fd = wait_for_client(listen_fd)) < 0)
            continue;
        FILE *out = fdopen(dup(conn_fd), "w");
        if (out != NULL) {
            talk(conn_fd, out);
            fclose(out);
        }
        say_goodbye(conn_fd);
    }
}
