/*
 * udp_client - gets a file from a TFTP server, or puts one there.
 *
 * Run it:   ./udp_client [-p PORT] [-b BLKSIZE] [-w WINDOWSIZE] [-o LOCAL]
 *                        HOST get|put FILE          (port 6666)
 *
 * You see:  nothing, and the file; or, where there is none,
 *           udp_client: get nothing: No such file or directory
 *
 * On the wire: the request goes to the server's port, and is answered from
 * another one, which is the transfer's. Then DATA and ACK in turns, or with
 * -w one ACK for WINDOWSIZE of DATA. RFC 1350; -b is RFC 2348, -w RFC 7440.
 *
 * New here: what TCP did for us we do ourselves: number, acknowledge, repeat,
 * know who is who. tftp_transfer.c does it, for both sides.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "net.h"
#include "tftp_transfer.h"

const char program[] = "udp_client";

struct plan {
    const char *host, *port;
    const char *file;                   /* as the user names it */
    const char *local;                  /* its name here */
    struct request request;
};

/* -- Command line --------------------------------------------------------- */

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: udp_client [-p PORT] [-b BLKSIZE] [-w WINDOWSIZE]"
                    " [-o LOCAL] HOST get|put FILE\n");
    exit(2);
}

static void read_option(enum option option, unsigned long least,
                        unsigned long most, struct options *options)
{
    if (!is_number(optarg, most) || strtoul(optarg, NULL, 10) < least)
        usage();
    options->has[option] = true;
    options->value[option] = strtoul(optarg, NULL, 10);
}

static void read_command_line(int argc, char *argv[], struct plan *plan)
{
    struct options *options = &plan->request.options;
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "b:o:p:w:")) != -1) {
        if (option == 'b')
            read_option(BLKSIZE, MIN_BLOCK, MAX_BLOCK, options);
        else if (option == 'w')
            read_option(WINDOWSIZE, 1, 65535, options);
        else if (option == 'o')
            plan->local = optarg;
        else if (option == 'p' && is_port(optarg))
            plan->port = optarg;
        else
            usage();
    }
    if (argc - optind != 3)
        usage();
    plan->host = argv[optind];
    plan->file = argv[optind + 2];
    if (strcmp(argv[optind + 1], "get") == 0)
        plan->request.opcode = RRQ;
    else if (strcmp(argv[optind + 1], "put") == 0)
        plan->request.opcode = WRQ;
    else
        usage();
}

/* What the file is called there, and here. */
static void choose_names(struct plan *plan)
{
    const char *base = base_name(plan->file);

    plan->request.mode = "octet";
    plan->request.name = plan->file;
    if (plan->request.opcode == WRQ && plan->local == NULL) {
        plan->request.name = base;
        plan->local = plan->file;
    } else if (plan->local == NULL) {
        plan->local = base;
    }
}

/* -- Asking --------------------------------------------------------------- */

/* Ends the program with a line that says why, unless all is well. */
static void check(enum outcome outcome, const struct plan *plan,
                  const struct transfer *t)
{
    if (outcome == DONE)
        return;
    if (outcome == UNREACHABLE)
        fprintf(stderr, "udp_client: send to %s port %s: %s\n",
                plan->host, plan->port, t->reason);
    else if (outcome == NO_ANSWER)
        fprintf(stderr, "udp_client: no answer from %s port %s\n",
                plan->host, plan->port);
    else
        fprintf(stderr, "udp_client: %s %s: %s\n",
                plan->request.opcode == RRQ ? "get" : "put",
                plan->file, t->reason);
    exit(1);
}

/* Sends the request to one of the server's addresses. */
static enum outcome ask_at(struct transfer *t, const struct plan *plan,
                           const struct addrinfo *ai)
{
    struct sockaddr_storage server = { .ss_family = AF_UNSPEC };
    enum outcome outcome;

    memcpy(&server, ai->ai_addr, ai->ai_addrlen);
    if (!begin_transfer(t, &server, NULL))
        return UNREACHABLE;
    if (!make_request(&t->out, &plan->request)) {
        errno = ENAMETOOLONG;
        die(plan->file);
    }
    outcome = exchange(t, plan->request.opcode == RRQ ? DATA : ACK);
    if (outcome == UNREACHABLE)
        close(t->fd);
    return outcome;
}

/* Sends the request, and waits for the first answer. */
static enum outcome ask(struct transfer *t, const struct plan *plan)
{
    struct addrinfo *list = addresses_of(plan->host, plan->port, SOCK_DGRAM);
    enum outcome outcome = UNREACHABLE;

    for (struct addrinfo *ai = list; ai != NULL && outcome == UNREACHABLE;
         ai = ai->ai_next)
        outcome = ask_at(t, plan, ai);
    freeaddrinfo(list);
    return outcome;
}

/* Takes the options that the server has agreed to, if it has answered with
 * OACK. It may leave some out, and name less than we asked for. */
static enum outcome agree(struct transfer *t, const struct options *asked)
{
    struct options agreed;

    if (opcode_of(&t->in) != OACK)
        return DONE;                    /* it does not know options */
    bool right = read_oack(&t->in, &agreed);
    for (int i = 0; i < OPTIONS && right; i++)
        right = !agreed.has[i]
            || (asked->has[i] && agreed.value[i] <= asked->value[i]);
    if (!right)
        return break_off(t, BAD_OPTIONS, "Options that were not asked for");
    use_options(t, &agreed);
    return DONE;
}

/* -- Both ways ------------------------------------------------------------ */

static void get(struct transfer *t, const struct plan *plan)
{
    static struct saving saving;        /* for who cleans up on signals */

    check(ask(t, plan), plan, t);
    check(agree(t, &plan->request.options), plan, t);
    if (opcode_of(&t->in) == OACK) {    /* is acknowledged as block 0 */
        make_ack(&t->out, 0);
        check(exchange(t, DATA), plan, t);
    }
    if (!begin_saving_as(&saving, plan->local))
        check(break_off_errno(t), plan, t);
    check(receive_file(t, &saving, true), plan, t);
}

static void put(struct transfer *t, const struct plan *plan)
{
    struct stat status;
    int file_fd = open(plan->local, O_RDONLY | O_NONBLOCK); /* FIFOs: no wait */

    if (file_fd < 0 || fstat(file_fd, &status) < 0)
        die(plan->local);
    if (!S_ISREG(status.st_mode)) {
        fprintf(stderr, "udp_client: %s: not a regular file\n", plan->local);
        exit(1);
    }
    check(ask(t, plan), plan, t);
    check(agree(t, &plan->request.options), plan, t);
    check(send_file(t, file_fd), plan, t);
}

int main(int argc, char *argv[])
{
    static struct transfer transfer;
    struct plan plan = { .port = "6666" };

    read_command_line(argc, argv, &plan);
    choose_names(&plan);
    keep_standard_fds();
    ignore_sigpipe();
    clean_up_on_signals(1);

    if (plan.request.opcode == RRQ)
        get(&transfer, &plan);
    else
        put(&transfer, &plan);
    return 0;
}
