/* fetch - see fetch.h. */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

enum { CHUNK = 256 * 1024 };    /* bytes that are received at once */

/* One transfer, from its command to its last reply. */
struct transfer {
    struct control *control;
    const char *what, *name;    /* for messages: get NAME */
    const char *ours;           /* for messages: our end of it, or NULL */
    int data_fd;
    long long bytes;            /* that have been moved */
    long long shown;            /* when they were shown last */
    struct reply reply;         /* the server's last one, or our failure */
};

/* How the data connection was left: at its end; before, as it broke; before,
 * as our own file failed. */
enum end { ALL, BROKEN, OURS };

/* -- What the user sees --------------------------------------------------- */

static bool failed(const struct transfer *transfer)
{
    fprintf(stderr, "%s: %s%s%s: %s\n", program, transfer->what,
            transfer->name[0] == '\0' ? "" : " ", transfer->name,
            transfer->reply.text);
    return false;
}

/* Shows how far we are, a few times a second and at the END. */
static void show_progress(struct transfer *transfer, bool end)
{
    if (!isatty(STDERR_FILENO) || transfer->name[0] == '\0')
        return;
    if (end || now() >= transfer->shown + 200) {
        transfer->shown = now();
        fprintf(stderr, "\r%s: %lld bytes%s", transfer->name,
                transfer->bytes, end ? "\n" : "");
    }
}

/* -- The data connection -------------------------------------------------- */

/* Returns the port in `227 ... (h1,h2,h3,h4,p1,p2)`, or 0. */
static unsigned port_of_pasv(const char *text)
{
    unsigned n[6] = { 0 };
    const char *numbers = text + 3 + strcspn(text + 3, "0123456789");
    int found = sscanf(numbers, "%3u,%3u,%3u,%3u,%3u,%3u", &n[0], &n[1],
                       &n[2], &n[3], &n[4], &n[5]);

    return found == 6 && n[4] < 256 && n[5] < 256 ? n[4] * 256 + n[5] : 0;
}

/* Returns the port in `229 ... (|||port|)`, or 0. RFC 2428. */
static unsigned port_of_epsv(const char *text)
{
    while ((text = strchr(text, '(')) != NULL) {
        unsigned port = 0;
        char bar[5] = "", end = '\0';
        if (sscanf(++text, "%4[^0-9]%5u%c", bar, &port, &end) == 3
            && strlen(bar) == 3 && bar[0] == bar[1] && bar[1] == bar[2]
            && end == bar[0] && port <= 65535)
            return port;
    }
    return 0;
}

/* Opens a data connection. Returns false if there can be none. */
static bool open_data(struct transfer *transfer)
{
    struct control *control = transfer->control;
    struct reply *reply = &transfer->reply;
    struct sockaddr_storage addr = control->peer;
    unsigned port = 0;

    /* STEP 19: ask at which port the server waits for us; with EPSV, or with
     * PASV where that is not known. PASV's reply also names a host. We do not
     * look at it: it would let a server send us anywhere. */
    if (!control->only_pasv) {
        command(control, reply, "EPSV", NULL);
        control->only_pasv = kind(reply) == 5;
        port = reply->code == 229 ? port_of_epsv(reply->text) : 0;
    }
    if (control->only_pasv) {
        command(control, reply, "PASV", NULL);
        port = reply->code == 227 ? port_of_pasv(reply->text) : 0;
    }
    /* END STEP 19; stub:
    (void)control;
    (void)port_of_epsv;
    (void)port_of_pasv;
    set_failure(reply, "no data connection yet"); */

    if (port == 0)
        return false;
    set_port(&addr, port);
    transfer->data_fd = socket(addr.ss_family, SOCK_STREAM, 0);
    if (transfer->data_fd < 0
        || connect(transfer->data_fd, (struct sockaddr *)&addr,
                   addr_len(&addr)) < 0
        || fcntl(transfer->data_fd, F_SETFL, O_NONBLOCK) < 0) {
        set_failure(reply, "data connection");
        return false;
    }
    return true;
}

/* Sends TYPE where the server uses another one, opens the data connection,
 * sends the command. Returns false if nothing will be transferred. */
static bool begin_transfer(struct transfer *transfer, const char *type,
                           const char *verb, const char *argument)
{
    struct control *control = transfer->control;
    struct reply *reply = &transfer->reply;

    transfer->data_fd = -1;
    if (control->type != type[0]) {
        command(control, reply, "TYPE", type);
        if (kind(reply) != 2)
            return false;
        control->type = type[0];
    }
    if (open_data(transfer)) {
        command(control, reply, verb, argument);
        if (kind(reply) == 1 || kind(reply) == 2)
            return true;
    }
    if (transfer->data_fd >= 0)
        close(transfer->data_fd);
    return false;
}

/*
 * Waits until the data connection is ready for EVENTS. Meanwhile the server
 * may say that it has given up, and say so on the control connection alone;
 * then, and after a long silence, returns false.
 */
static bool wait_for_data(struct transfer *transfer, short events)
{
    struct control *control = transfer->control;

    for (;;) {
        bool ended = kind(&transfer->reply) != 1;   /* it is all said */
        struct pollfd fds[2] = {
            { transfer->data_fd, events, 0 },
            { ended ? -1 : control->fd, POLLIN, 0 },
        };
        bool said = !ended && control->next < control->len;
        int ready = poll(fds, 2, said ? 0 : SILENCE * 1000);

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return false;
        if (fds[0].revents != 0)
            return true;
        if (ready == 0 && !said) {
            control->lost = true;
            errno = ETIMEDOUT;
            return false;
        }
        read_reply(control, &transfer->reply);
        if (kind(&transfer->reply) > 2 || control->lost) {
            errno = ECONNABORTED;
            return false;
        }
    }
}

/*
 * Closes the data connection and waits for the last reply. Returns whether
 * all went well; else the transfer's reply is what the user has to know: our
 * own failure, or what the server says, or else why the connection broke.
 */
static bool end_transfer(struct transfer *transfer, enum end end)
{
    struct reply failure, *reply = &transfer->reply;

    set_failure(&failure, end == OURS ? transfer->ours : "data connection");
    show_progress(transfer, true);
    if (end == ALL)
        close(transfer->data_fd);
    else
        close_with_reset(transfer->data_fd);
    while (kind(reply) == 1 && !transfer->control->lost)
        read_reply(transfer->control, reply);

    bool content = kind(reply) == 1 || kind(reply) == 2;
    bool whole = end == ALL && kind(reply) == 2;
    if (end == OURS || (end == BROKEN && content))
        *reply = failure;
    return whole;
}

/* -- To us ---------------------------------------------------------------- */

/* Receives until the server's end of file; TAKE is given the bytes, for TO,
 * and returns false where it cannot have them. */
static enum end receive_all(struct transfer *transfer, void *to,
                            bool (*take)(void *to, const char *data,
                                         size_t len))
{
    static char buffer[CHUNK];

    for (;;) {
        ssize_t n = read_some(transfer->data_fd, buffer, sizeof buffer);
        if (n == 0)
            return ALL;
        if (n > 0 && !take(to, buffer, (size_t)n))
            return OURS;
        if (n < 0 && (errno != EAGAIN || !wait_for_data(transfer, POLLIN)))
            return BROKEN;
        if (n > 0) {
            transfer->bytes += n;
            show_progress(transfer, false);
        }
    }
}

static bool save_bytes(void *to, const char *data, size_t len)
{
    return save(to, data, len);
}

bool get_file(struct control *control, const char *remote, const char *local)
{
    struct transfer transfer = { .control = control, .what = "get",
                                 .name = remote, .ours = local };
    struct saving saving;
    bool whole = false;

    if (!begin_saving_as(&saving, local)) {
        set_failure(&transfer.reply, local);
        return failed(&transfer);
    }

    /* STEP 20: get it. The end of the data connection does not tell that the
     * file is whole: a server that fails ends it too. The last reply does. */
    if (begin_transfer(&transfer, "I", "RETR", remote)) {
        enum end end = receive_all(&transfer, &saving, save_bytes);
        whole = end_transfer(&transfer, end);
    }
    if (!whole) {
        give_up_saving(&saving);
        return failed(&transfer);
    }
    /* END STEP 20; stub:
    (void)save_bytes;
    whole = true; */

    if (!finish_saving(&saving, true)) {
        set_failure(&transfer.reply, local);
        return failed(&transfer);
    }
    return whole;
}

/* Lines end with CR LF on the wire, and with LF here. A CR waits in TO until
 * it is known what follows it. */
static bool print_lines(void *to, const char *data, size_t len)
{
    bool *cr = to;

    for (size_t i = 0; i < len; i++) {
        if (*cr && data[i] != '\n')
            putchar('\r');
        *cr = data[i] == '\r';
        if (!*cr)
            putchar(data[i]);
    }
    return fflush(stdout) == 0;
}

bool list_names(struct control *control)
{
    struct transfer transfer = { .control = control, .what = "ls",
                                 .name = "", .ours = "stdout" };
    bool cr = false;

    clearerr(stdout);
    if (begin_transfer(&transfer, "A", "NLST", NULL)
        && end_transfer(&transfer, receive_all(&transfer, &cr, print_lines)))
        return true;
    return failed(&transfer);
}

/* -- To the server -------------------------------------------------------- */

/* Sends the file as long as it is now. */
static enum end send_file(struct transfer *transfer, int file_fd)
{
    struct stat status;
    off_t offset = 0;

    if (fstat(file_fd, &status) < 0)
        return OURS;
    while (offset < status.st_size) {
        ssize_t n = sendfile(transfer->data_fd, file_fd, &offset,
                             (size_t)(status.st_size - offset));
        if (n == 0) {
            transfer->ours = "has become shorter";
            errno = ENODATA;
            return OURS;
        }
        if (n < 0 && errno != EINTR
            && (errno != EAGAIN || !wait_for_data(transfer, POLLOUT)))
            return BROKEN;
        transfer->bytes = offset;
        show_progress(transfer, false);
    }
    return ALL;
}

/* Returns a descriptor of our regular file, or -1 and why in the reply. */
static int open_local(struct transfer *transfer)
{
    struct stat status;
    int file_fd = open(transfer->name, O_RDONLY | O_NONBLOCK);

    if (file_fd < 0 || fstat(file_fd, &status) < 0) {
        set_failure(&transfer->reply, NULL);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(transfer->reply.text, sizeof transfer->reply.text,
                 "not a regular file");
        close(file_fd);
        return -1;
    }
    return file_fd;
}

bool put_file(struct control *control, const char *local, const char *remote)
{
    struct transfer transfer = { .control = control, .what = "put",
                                 .name = local };
    bool whole = false;

    /* STEP 21: put it. Our end of file is the end of the data connection; if
     * our file fails before, a reset keeps the server from taking what it has
     * for the whole. Its last reply tells whether it has stored the file. */
    int file_fd = open_local(&transfer);
    if (file_fd < 0)
        return failed(&transfer);
    if (begin_transfer(&transfer, "I", "STOR", remote)) {
        reset_at_close(transfer.data_fd, true);     /* Ctrl-C is no end */
        enum end end = send_file(&transfer, file_fd);
        reset_at_close(transfer.data_fd, end != ALL);
        whole = end_transfer(&transfer, end);
    }
    close(file_fd);
    if (!whole)
        failed(&transfer);
    /* END STEP 21; stub:
    (void)open_local;
    (void)send_file;
    (void)remote;
    (void)transfer; */

    return whole;
}
