/*
 * send_client - receives a file and saves it.
 *
 * Run it:   ./send_client [-p PORT] [-o NAME] [HOST]  (port 6666, 127.0.0.1)
 *
 * You see:  nothing; the file is in your folder, under the name that the
 *           server told, or NAME.
 *
 * On the wire: we send nothing. One line comes, the file's name, then the
 * file until the server's FIN.
 *
 * New here: what comes from the network decides what happens on your disk. A
 * name may be `../.profile`; the connection may break in the middle. So the
 * name is looked at before it is used, and the file gets it when it is whole.
 *
 * net.c makes the connection, files.c saves the file.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "net.h"

const char program[] = "send_client";

/* What has been received; the next part begins at NEXT. */
struct input {
    char *next;
    size_t len;
    char buffer[65536];
};

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: send_client [-p PORT] [-o NAME] [HOST]\n");
    exit(2);
}

_Noreturn static void refuse(const char *why)
{
    fprintf(stderr, "%s: the server's first line %s\n", program, why);
    exit(1);
}

/* Receives the name line and returns the name; INPUT is what came behind. */
static const char *receive_name(int conn_fd, struct input *input)
{
    const char *name = "";

    /* STEP 4: receive until the line's end. TCP knows no lines: the name may
     * come in pieces, and its end together with the first bytes of the file.
     * Then all behind the newline belongs to the file. */
    char *end = NULL;
    while (end == NULL && input->len <= NAME_MAX) {
        ssize_t n = read_some(conn_fd, input->buffer + input->len,
                              sizeof input->buffer - input->len);
        if (n < 0)
            die("recv");
        if (n == 0)
            refuse("has no end");
        input->len += (size_t)n;
        end = memchr(input->buffer, '\n', input->len);
    }
    if (end == NULL || end - input->buffer > NAME_MAX)
        refuse("is too long for a name");
    *end = '\0';
    name = input->buffer;
    input->next = end + 1;
    input->len -= (size_t)(input->next - name);
    if (strlen(name) != (size_t)(end - name))
        refuse("is no name: there is a NUL in it");
    /* END STEP 4; stub:
    (void)conn_fd;
    (void)input;
    refuse("is not read yet"); */

    return name;
}

/* Saves all that comes until the server's end of file. */
static void receive_file(int conn_fd, struct input *input,
                         struct saving *saving)
{
    const char *name = saving->name;
    ssize_t n = (ssize_t)input->len;        /* those that came already */

    for (char *from = input->next; ; from = input->buffer) {
        if (!save(saving, from, (size_t)n)) {
            give_up_saving(saving);
            die(name);
        }
        n = read_some(conn_fd, input->buffer, sizeof input->buffer);
        if (n < 0) {                        /* a reset: not the whole file */
            give_up_saving(saving);
            die("recv");
        }
        if (n == 0)
            break;
    }
    if (!finish_saving(saving, true))
        die(name);
}

int main(int argc, char *argv[])
{
    const char *host = "127.0.0.1", *port = "6666", *local = NULL;
    static struct input input;
    struct saving saving;
    int option;

    opterr = 0;                             /* our usage line says it all */
    while ((option = getopt(argc, argv, "o:p:")) != -1) {
        if (option == 'o')
            local = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else
            usage();
    }
    if (optind < argc)
        host = argv[optind++];
    if (optind < argc)
        usage();
    keep_standard_fds();
    clean_up_on_signals(1);

    int conn_fd = connect_to(host, port);
    const char *name = receive_name(conn_fd, &input);
    if (local == NULL && !is_base_name(name))
        refuse("is no file's name");
    if (local == NULL)
        local = name;
    if (!begin_saving_as(&saving, local))
        die(local);
    receive_file(conn_fd, &input, &saving);
    if (close(conn_fd) < 0)
        die("close");
    return 0;
}
