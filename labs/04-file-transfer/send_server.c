/*
 * send_server - sends one file to everyone who connects.
 *
 * Run it:   ./send_server [-a ADDRESS] [-p PORT] FILE  (127.0.0.1, port 6666)
 *           ./send_client                              in another terminal
 *           nc 127.0.0.1 6666                          shows what is sent
 *
 * You see:  listening on 127.0.0.1 port 6666
 *
 * On the wire: to each client one line with FILE's base name, then the bytes
 * of the file, then our FIN. Nothing tells how long the file is: its end is
 * the end of the connection. So each file needs a connection of its own.
 *
 * New here: a reset is the one way to say 'this is not the whole file'. After
 * a FIN the client would keep what it has.
 *
 * net.c makes the sockets, children.c a process for each client: one that
 * stops reading makes nobody else wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "children.h"
#include "files.h"
#include "net.h"

const char program[] = "send_server";

enum { PATIENCE = 10 };     /* seconds that a client may take for its FIN */

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: send_server [-a ADDRESS] [-p PORT] FILE\n");
    exit(2);
}

/* Returns a descriptor of the regular file PATH, or ends the program. */
static int open_file(const char *path)
{
    struct stat status;
    int file_fd = open(path, O_RDONLY | O_NONBLOCK);    /* FIFOs would wait */

    if (file_fd < 0 || fstat(file_fd, &status) < 0)
        die(path);
    if (!S_ISREG(status.st_mode)) {
        fprintf(stderr, "%s: %s: not a regular file\n", program, path);
        exit(1);
    }
    if (strchr(base_name(path), '\n') != NULL) {
        fprintf(stderr, "%s: the file's name must be one line\n", program);
        exit(1);
    }
    return file_fd;
}

/* Sends the line with the file's name. Returns false, and has said why, if
 * that fails. */
static bool send_name(int conn_fd, const char *path)
{
    /* STEP 1: the base name and a newline. Our folders are not the client's
     * business. */
    char line[NAME_MAX + 2];                /* with newline and NUL */
    int len = snprintf(line, sizeof line, "%s\n", base_name(path));
    if (send_all(conn_fd, line, (size_t)len) < 0) {
        complain("send");
        return false;
    }
    /* END STEP 1; stub:
    (void)conn_fd;
    (void)path; */

    return true;
}

/* Sends the file as long as it is now. Returns false, and has said why, if
 * that fails. */
static bool send_file(int conn_fd, int file_fd, const char *path)
{
    /* STEP 2: send the file from its beginning. sendfile() lets the kernel
     * move the bytes, from an offset of our own. The descriptor's offset, as
     * read() uses it, would still be at the end after the first client. */
    struct stat status;
    off_t offset = 0;
    if (fstat(file_fd, &status) < 0)
        die(path);
    while (offset < status.st_size) {
        ssize_t n = sendfile(conn_fd, file_fd, &offset,
                             (size_t)(status.st_size - offset));
        if (n < 0 && errno != EINTR) {
            complain("sendfile");
            return false;
        }
        if (n == 0) {
            fprintf(stderr, "%s: %s: has become shorter\n", program, path);
            return false;
        }
    }
    /* END STEP 2; goes on; stub:
    (void)conn_fd;
    (void)file_fd;
    (void)path; */

    return true;
}

static void serve_client(int conn_fd, int file_fd, const char *path)
{
    /* We may be ended in the middle: a FIN, as the kernel would send it for us
     * then, makes half a file look whole. */
    reset_at_close(conn_fd, true);
    if (!send_name(conn_fd, path) || !send_file(conn_fd, file_fd, path)) {
        close_with_reset(conn_fd);          /* this one has not got it all, */
        return;                             /* the next one may             */
    }
    reset_at_close(conn_fd, false);

    /* STEP 3: close first. All is sent, and our FIN tells it. */
    close_first(conn_fd, PATIENCE);
    /* END STEP 3; silent; stub: (void)PATIENCE; */
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "6666";
    int option;

    opterr = 0;                             /* our usage line says it all */
    while ((option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else
            usage();
    }
    if (optind != argc - 1)
        usage();
    const char *path = argv[optind];

    keep_standard_fds();
    ignore_sigpipe();

    int file_fd = open_file(path);
    int listen_fd = listen_on(address, port);
    watch_children();
    print_start_line(listen_fd);
    for (;;) {
        struct sockaddr_storage peer_addr;
        int conn_fd = accept_client(listen_fd, &peer_addr), place;
        pid_t child = fork_child(&peer_addr, &place);
        if (child == 0) {
            close(listen_fd);
            serve_client(conn_fd, file_fd, path);
            _exit(0);
        }
        if (child > 0) {
            close(conn_fd);
        } else {                            /* too many at once */
            complain("fork");
            close_with_reset(conn_fd);
        }
    }
}
