/*
 * udp_server - lets TFTP clients read the files of a folder, or write new ones.
 *
 * Run it:   ./udp_server [-a ADDRESS] [-p PORT] [-d FOLDER] [-w]
 *                                          (127.0.0.1, port 6666, folder `.`)
 *           curl -O tftp://127.0.0.1:6666/udp_server.c   in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 6666
 *
 * On the wire: a request comes to our port, and is answered from a new one.
 * Those two ports, the client's and the new one, are the transfer. RFC 1350,
 * RFC 2347 to 2349 (options), RFC 7440 (windows).
 *
 * New here: lab 03's server had one socket for all, and nothing to remember
 * between two datagrams. A transfer lasts, so each has a process, and a
 * socket of its own, as a TCP client has after accept().
 *
 * tftp_port.c has the port where requests come, children.c the processes,
 * tftp_transfer.c what client and server do in the same way.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "children.h"
#include "files.h"
#include "net.h"
#include "tftp_port.h"
#include "tftp_transfer.h"

const char program[] = "udp_server";

enum { MOST_WINDOW = 64 };              /* blocks */

/* What we serve. */
struct served {
    int folder;
    bool writing;                       /* -w */
};

/* -- A transfer ----------------------------------------------------------- */

/* Answers the options with what we can do. Returns false if there are none;
 * else the OACK is in t->out. */
static bool answer_options(struct transfer *t, struct options options,
                           const struct stat *file)
{
    bool any = false;

    if (options.value[BLKSIZE] > MAX_BLOCK)
        options.value[BLKSIZE] = MAX_BLOCK;
    if (options.value[WINDOWSIZE] > MOST_WINDOW)
        options.value[WINDOWSIZE] = MOST_WINDOW;
    if (file != NULL) {                 /* else the client has told it */
        options.value[TSIZE] = (unsigned long)file->st_size;
        if (file->st_size == 0)
            options.has[TSIZE] = false; /* curl takes a 0 for an error */
    }
    for (int i = 0; i < OPTIONS; i++)
        any = any || options.has[i];
    if (any) {
        use_options(t, &options);
        make_oack(&t->out, &options);
    }
    return any;
}

static enum outcome give_file(struct transfer *t, int folder,
                              const struct request *request)
{
    struct stat status;
    int file_fd = open_file_in(folder, request->name);
    enum outcome outcome = DONE;

    if (file_fd < 0 || fstat(file_fd, &status) < 0)
        return break_off_errno(t);
    if (answer_options(t, request->options, &status))
        outcome = exchange(t, ACK);
    return outcome == DONE ? send_file(t, file_fd) : outcome;
}

/* Begins to save a file that is not there yet. Returns false, errno. */
static bool begin_new_file(struct saving *saving, const struct served *served,
                           const char *name)
{
    /* STEP 32: only where writing is allowed, and only what is new. Another
     * client may make the file meanwhile: so this look saves time, no more;
     * link(), at the end, never takes the place of a file. */
    if (!served->writing) {
        errno = EACCES;
        return false;
    }
    int old_fd = open_file_in(served->folder, name);
    if (old_fd >= 0) {
        close(old_fd);
        errno = EEXIST;
        return false;
    }
    /* END STEP 32; silent */

    return begin_saving(saving, served->folder, name);
}

static enum outcome take_file(struct transfer *t, const struct served *served,
                              const struct request *request)
{
    static struct saving saving;        /* for who cleans up on signals */
    enum outcome outcome;

    if (!begin_new_file(&saving, served, request->name))
        return break_off_errno(t);
    if (!answer_options(t, request->options, NULL))
        make_ack(&t->out, 0);
    outcome = exchange(t, DATA);
    if (outcome != DONE) {
        give_up_saving(&saving);
        return outcome;
    }
    outcome = receive_file(t, &saving, false);
    if (outcome == DONE)
        linger(t);
    return outcome;
}

/* Says what went wrong with whom. */
static void report(const struct transfer *t, const struct request *request,
                   const char *why)
{
    struct endpoint client;
    char name[MAX_REQUEST];

    snprintf(name, sizeof name, "%s", request->name);
    make_printable(name);
    if (describe(&t->peer, &client))
        fprintf(stderr, "udp_server: %s port %s: %s %s: %s\n",
                client.ip, client.port,
                request->opcode == RRQ ? "read" : "write", name, why);
}

/* The child's life: one transfer, then the end. HEARD is for its parent. */
_Noreturn static void serve_one(const struct asked *asked,
                                const struct request *request,
                                const struct served *served, bool *heard)
{
    static struct transfer transfer;
    enum outcome outcome = UNREACHABLE;

    if (begin_transfer(&transfer, &asked->client, &asked->own_addr)) {
        transfer.heard = heard;
        outcome = request->opcode == RRQ
            ? give_file(&transfer, served->folder, request)
            : take_file(&transfer, served, request);
    }
    *heard = true;
    if (outcome != DONE)
        report(&transfer, request,
               outcome == NO_ANSWER ? "no answer" : transfer.reason);
    _exit(0);
}

/* -- Requests ------------------------------------------------------------- */

/* By the child's place: who asked it for what. */
static struct {
    struct sockaddr_storage client;
    size_t len;
    unsigned char request[MAX_REQUEST];
} running[MOST_CHILDREN];

/* By place, in memory that the children share with us: the client has answered
 * the child. So what it asks from now on is something new. */
static bool *heard;

static void share_memory(void)
{
    heard = mmap(NULL, MOST_CHILDREN * sizeof *heard, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (heard == MAP_FAILED)
        die("mmap");
}

static void note_running(int place, const struct asked *asked)
{
    running[place].client = asked->client;
    running[place].len = asked->packet.len;
    memcpy(running[place].request, asked->packet.bytes, asked->packet.len);
}

/* The network has doubled a request, or the client has repeated it as our
 * answer was lost. Its transfer runs, and the answer is sent again there. */
static bool is_repeated(const struct asked *asked)
{
    const struct packet *packet = &asked->packet;

    for (int i = 0; i < MOST_CHILDREN; i++)
        if (is_running(i) && !heard[i]
            && is_same_host(&running[i].client, &asked->client)
            && port_of(&running[i].client) == port_of(&asked->client)
            && running[i].len == packet->len
            && memcmp(running[i].request, packet->bytes, packet->len) == 0)
            return true;
    return false;
}

static void handle(int fd, const struct asked *asked,
                   const struct served *served)
{
    struct request request;
    int place;

    if (!read_request(&asked->packet, &request)) {
        refuse_request(fd, asked, ILLEGAL_OPERATION, "Not a request");
        return;
    }
    if (strcasecmp(request.mode, "octet") != 0) {
        refuse_request(fd, asked, ILLEGAL_OPERATION, "Only mode octet");
        return;
    }
    if (is_repeated(asked))
        return;
    for (int i = 0; i < MOST_CHILDREN; i++)
        heard[i] = heard[i] && is_running(i);

    /* STEP 25: a process for the transfer, with a socket and thereby a port
     * of its own: what comes there is of this transfer and of no other. We go
     * back to our port, and nobody waits for anybody. */
    pid_t child = fork_child(&asked->client, &place);
    if (child == 0) {
        close(fd);
        serve_one(asked, &request, served, &heard[place]);
    }
    if (child > 0)
        note_running(place, asked);
    else if (errno != EUSERS)           /* that there are many is no fault. */
        complain("fork");               /* The client will ask again soon. */
    /* END STEP 25; stub:
    (void)place;
    (void)serve_one;
    (void)note_running;
    (void)served;
    refuse_request(fd, asked, NOT_DEFINED, "Step 25 is not there yet"); */
}

/* -- Command line --------------------------------------------------------- */

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: udp_server [-a ADDRESS] [-p PORT] [-d FOLDER]"
                    " [-w]\n");
    exit(2);
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "6666", *folder = ".";
    struct served served = { .writing = false };
    static struct asked asked;
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "a:d:p:w")) != -1) {
        if (option == 'a')
            address = optarg;
        else if (option == 'd')
            folder = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else if (option == 'w')
            served.writing = true;
        else
            usage();
    }
    if (optind < argc)
        usage();

    keep_standard_fds();
    ignore_sigpipe();
    served.folder = open_folder(folder);
    if (served.folder < 0)
        die(folder);
    int fd = open_port(address, port);
    share_memory();
    watch_children();
    print_start_line(fd);
    for (;;)
        if (take_packet(fd, &asked))
            handle(fd, &asked, &served);
}
